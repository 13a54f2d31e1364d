"use strict";
// Tables that are sorted by their headings, the search among templates, the button that copies the command.
(() => {
  const number = (text) => Number.parseFloat(text.replaceAll(",", "").replaceAll("−", "-"));
  const byWords = new Intl.Collator("en", { numeric: true });

  // Numbers by their value, words by the alphabet; what has no figure comes last, whichever the direction.
  function compare(a, b, sign) {
    const [x, y] = [number(a), number(b)];
    const [lacksX, lacksY] = [a === "–", b === "–"];
    if (lacksX || lacksY) return lacksX - lacksY;
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? byWords.compare(a, b) : x - y);
  }

  function sort(heading) {
    const table = heading.closest("table");
    const headings = [...heading.parentElement.children];
    const column = headings.indexOf(heading);
    const words = heading.classList.contains("word");
    const first = words ? "ascending" : "descending";
    const now = heading.getAttribute("aria-sort");
    const next = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
    for (const other of headings) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].textContent, row]);
    rows.sort(([a], [b]) => (words && a !== "–" && b !== "–" ? sign * byWords.compare(a, b) : compare(a, b, sign)));
    body.append(...rows.map(([, row]) => row));
  }

  for (const button of document.querySelectorAll("table[data-sortable] th button")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  const find = document.getElementById("find");
  if (find !== null) {
    const tiles = [...document.getElementById("tiles").children];
    find.closest("p").hidden = false;
    find.addEventListener("input", () => {
      const wanted = find.value.trim().toLocaleLowerCase();
      for (const tile of tiles) tile.hidden = !tile.querySelector(".name").textContent.toLocaleLowerCase().includes(wanted);
      const left = tiles.filter((tile) => !tile.hidden).length;
      document.getElementById("found").textContent = `${left.toLocaleString("en")} of ${tiles.length.toLocaleString("en")}`;
    });
  }

  // The contents say which section is being read.
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) links.get(target.id).setAttribute("aria-current", "true");
        else links.get(target.id).removeAttribute("aria-current");
      }
    },
    { rootMargin: "-30% 0px -65% 0px" },
  );
  for (const id of links.keys()) seen.observe(document.getElementById(id));

  function select(element) {
    getSelection().selectAllChildren(element);
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      let said = "Copied.";
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        // No permission, or no clipboard at all: the reader's own keys always work.
        select(source);
        said = "Selected: copy it with Ctrl+C or ⌘C.";
      }
      document.getElementById("copied").textContent = said;
    });
  }
})();
