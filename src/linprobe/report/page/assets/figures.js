"use strict";
// Draws the figures of the page with plotly, in the colours of the page, and again when those or the width change.
(() => {
  const figures = JSON.parse(document.getElementById("data-figures").textContent);
  // Pixels; what a sheet of paper has room for.
  const PAPER = { width: 640, height: { wide: 340, square: 560 } };
  const touch = matchMedia("(pointer: coarse)").matches;

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function scale(name) {
    const colours = token(name).split(/\s+/);
    return colours.map((colour, place) => [place / (colours.length - 1), colour]);
  }

  // The same figure with the page's colours where it names one of its variables.
  function coloured(value, key = "") {
    if (typeof value === "string") {
      if (!value.startsWith("--")) return value;
      if (key === "colorscale") return scale(value);
      return /color$/.test(key) ? token(value) : value;
    }
    if (Array.isArray(value)) return typeof value[0] === "object" ? value.map((item) => coloured(item, key)) : value;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, name)]));
  }

  function look(narrow, rem) {
    const family = getComputedStyle(document.body).fontFamily;
    const small = { size: rem * (narrow ? 0.69 : 0.81) };
    const axis = {
      gridcolor: token("--line"),
      linecolor: token("--muted"),
      zeroline: false,
      automargin: true,
      exponentformat: "power",
      fixedrange: touch,
      tickfont: small,
      ticklabelstandoff: 4,
      title: { standoff: 12 },
    };
    return {
      layout: {
        font: { family, size: rem * (narrow ? 0.75 : 0.875), color: token("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 8, r: 8, t: 12, b: 8 },
        xaxis: axis,
        yaxis: axis,
        hovermode: "closest",
        hoverlabel: {
          align: "left",
          bgcolor: token("--raised"),
          bordercolor: token("--muted"),
          font: { family, color: token("--ink"), ...small },
        },
        legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
        dragmode: touch ? false : "zoom",
        bargap: 0,
      },
    };
  }

  function bar(narrow) {
    const common = { outlinewidth: 0, ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)" };
    return narrow ? { ...common, thickness: 8, title: { text: "" }, tickfont: { size: 10 } } : { ...common, thickness: 12 };
  }

  // The light of a colour, as WCAG measures it, and of the two inks the one that is read better on it.
  function light([red, green, blue]) {
    const linear = [red, green, blue].map((value) => (value <= 10 ? value / 3295 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  const inkOn = (colour) => (light(colour) > 0.179 ? "#000000" : "#ffffff");

  function colourAt(colours, share) {
    const place = Math.min(Math.max(share, 0), 1 - 1e-9) * (colours.length - 1);
    const [low, high] = [colours[Math.floor(place)][1], colours[Math.floor(place) + 1][1]].map((hex) =>
      [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16)),
    );
    return low.map((value, channel) => value + (place % 1) * (high[channel] - value));
  }

  // The numbers of a heat map's cells as words on top of it.
  function numbers(map, size) {
    const columns = map.x.length;
    const bytes = map.z.bdata && atob(map.z.bdata);
    const z = bytes ? Array.from(bytes, (byte) => byte.charCodeAt(0)) : map.z.flat();
    const known = z.filter((value) => value !== null);
    const [low, high] = [map.zmin ?? Math.min(...known), map.zmax ?? Math.max(...known)];
    const text = map.text?.flat() ?? z.map((value) => (value === null ? "" : value.toFixed(3)));
    return {
      type: "scatter",
      mode: "text",
      x: z.map((_, place) => map.x[place % columns]),
      y: z.map((_, place) => map.y[Math.floor(place / columns)]),
      text,
      textfont: {
        size,
        color: z.map((value) => inkOn(colourAt(map.colorscale, high > low ? ((value ?? low) - low) / (high - low) : 0))),
      },
      hoverinfo: "skip",
      showlegend: false,
    };
  }

  function fits(element, [rows, columns, characters], size) {
    const map = element.querySelector(".heatmaplayer image")?.getBoundingClientRect();
    return map && map.width / columns > (characters + 1) * 0.65 * size && map.height / rows > 1.25 * size;
  }

  // At once and not in steps: what is printed is what has been drawn by then.
  function draw(name, printed) {
    const element = document.getElementById(`plot-${name}`);
    const figure = figures[name];
    const size = printed
      ? { width: PAPER.width, height: PAPER.height[element.classList.contains("square") ? "square" : "wide"] }
      : { width: element.clientWidth, height: element.clientHeight };
    const rem = printed ? 12 : Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const narrow = !printed && element.clientWidth < 560;
    const data = coloured(figure.data);
    for (const trace of data) {
      if (figure.x && !("x" in trace)) trace.x = figure.x;
      const barred = trace.colorbar ? trace : trace.marker?.colorbar ? trace.marker : null;
      if (barred) barred.colorbar = { ...barred.colorbar, ...bar(narrow) };
    }
    const layout = () => ({ ...coloured(figure.layout), template: look(narrow, rem), ...size });
    const react = () => Plotly.react(element, data, layout(), { displayModeBar: false, responsive: false });
    react();
    if (figure.cells && fits(element, figure.cells, 0.81 * rem)) {
      data.push(numbers(data[0], 0.81 * rem));
      react();
    }
  }

  const names = Object.keys(figures).filter((name) => document.getElementById(`plot-${name}`) !== null);
  const drawAll = (printed) => names.forEach((name) => draw(name, printed));

  drawAll(false);
  document.addEventListener("themechange", () => drawAll(false));
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 150, false);
  });
  addEventListener("beforeprint", () => drawAll(true));
  addEventListener("afterprint", () => drawAll(false));
})();
