"use strict";
// Light or dark: as the system has it, until the reader chooses, and on paper always light. Others hear `themechange`.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  let before = null;

  function show(theme) {
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    label();
    document.dispatchEvent(new Event("themechange"));
  }

  // The button says what it will do.
  function label() {
    const button = document.getElementById("theme");
    if (button === null) return;
    button.hidden = false;
    button.textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${button.textContent.toLowerCase()} colours`);
  }

  show(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => chosen ?? show(dark.matches ? "dark" : "light"));
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    show("light");
  });
  addEventListener("afterprint", () => show(before));
  addEventListener("DOMContentLoaded", () => {
    label();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      show(chosen);
    });
  });
})();
