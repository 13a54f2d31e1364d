"""The benchmarks run: what they print is measured where it means something."""

import re
import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def run(monkeypatch, capsys):
    """What a benchmark prints."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def call(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_the_gpu_benchmark_runs_on_the_cpu(run):
    pytest.importorskip("torch")
    tiny = ["--rows=60", "--features=8", "--heads=4", "--iterations=6", "--batch-size=5", "--repeat=1"]
    out = run("gpu.py", "--device", "cpu", *tiny)
    assert "60 training rows of 8 features, 10 classes; 4 settings, 6 steps of 5" in out
    assert re.findall(r"^(float32|bfloat16)$", out, re.MULTILINE) == ["float32", "bfloat16"]
    for line in ("PyTorch, 3 heads measured and scaled to 4", "as one stack, warm", "bare products", "peak memory"):
        assert line in out
    assert "nan" not in out


@pytest.mark.real_data
def test_the_gpu_benchmark_takes_real_data(run):
    pytest.importorskip("torch")
    tiny = ["--heads=2", "--iterations=3", "--batch-size=5", "--repeat=1"]
    assert "64 features, 10 classes; 2 settings" in run("gpu.py", "digits", "--device", "cpu", *tiny)


def test_without_a_device_the_gpu_benchmark_says_so(run):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    assert run("gpu.py").splitlines() == [
        "nothing measured: torch finds no CUDA device here; --device cpu shows that the benchmark runs"
    ]


def test_the_path_of_the_gpu_benchmark_runs_on_the_cpu(run):
    pytest.importorskip("torch")
    tiny = ["--rows=2100", "--features=16", "--classes=5", "--heads=6"]
    out = run("gpu.py", "--path", "--device", "cpu", *tiny)
    assert "2,100 rows of 16 features, 5 classes; softmax, 6 λ" in out
    assert "(C from 1e+06 to 1e-05), relative gap 0.0001" in out
    assert re.search(r"^certified to 0.0001 +6 of 6$", out, re.MULTILINE)
    assert [line.split()[-1] for line in out.splitlines()[-6:]] == ["gap"] * 6
    for line in ("6 λ at once", "bare products of its passes", "peak memory", "passes over the data"):
        assert line in out


@pytest.mark.slow
def test_the_wide_benchmark_proves_what_it_makes(run):
    out = run("wide.py", "digits", "--rows=400", "--filters=30")
    assert "400 rows of 120 features" in out
    gaps = re.findall(r"^λ = .* passes +(\d+) +gap (\S+)$", out, re.MULTILINE)
    assert len(gaps) == 6
    assert all(int(passes) <= 150 and float(gap) <= 1e-3 for passes, gap in gaps)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_streaming_benchmark_tunes_what_it_makes_and_reads_it(run):
    out = run("streaming.py", "--rows=3000", "--features=8", "--memory=600MiB", "--tol=1e-2")
    assert "3,000 x 8 float16, 0.00 GiB; 10 classes, 2 λ" in out
    held = re.search(r"^tune within 600MiB: the most held, MiB +(\d+)$", out, re.MULTILINE)
    assert held is not None
    assert 40 < int(held[1]) < 600
    assert len(re.findall(r"^(?:the disk|streaming|float32).* \d+\.\d\d +\d+ +\d+\.\d\d$", out, re.MULTILINE)) == 4
