// The command palette: ctrl-K anywhere, "/" where single keys are on. The server finds; arrows, Enter and Escape choose.
import { nodes } from "./markup.js";

const PAUSE = 120;

export function palette() {
  const dialog = document.querySelector("#palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const said = dialog.querySelector("[data-palette-said]");
  const options = () => [...list.children];
  const chosen = () => list.querySelector("[aria-selected=true]");
  let asked = 0;
  let timer = null;

  const choose = (option) => {
    chosen()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const ask = async () => {
    const number = ++asked;
    const url = new URL(dialog.dataset.find, location);
    url.search = new URLSearchParams({ q: input.value, options: "1" });
    const answer = await fetch(url);
    if (number !== asked || !answer.ok) return;
    if (answer.redirected) return location.assign(dialog.dataset.find);
    list.replaceChildren(...nodes(await answer.text()));
    input.setAttribute("aria-expanded", String(list.children.length > 0));
    said.textContent = list.children.length ? "" : dialog.dataset.none;
    choose(list.firstElementChild);
  };
  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    input.value = "";
    dialog.showModal();
    ask();
  };
  const go = (option) => option && location.assign(option.dataset.url);
  const step = (by) => {
    const all = options();
    if (all.length) choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
  };

  document.addEventListener("keydown", (event) => {
    const single = event.key === "/" && document.documentElement.dataset.shortcuts !== "off" && !event.ctrlKey
      && !event.metaKey && !event.altKey && !event.target.matches("textarea, select, input:not([type=checkbox], [type=radio])");
    if (!single && !((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k")) return;
    event.preventDefault();
    open();
  });
  document.querySelector("[data-palette]")?.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  });
  // Enter before the answer came, or where nothing was found, opens the page that finds.
  dialog.querySelector("form").addEventListener("submit", (event) => {
    if (!chosen()) return;
    event.preventDefault();
    go(chosen());
  });
  list.addEventListener("click", (event) => go(event.target.closest("[role=option]")));
}
