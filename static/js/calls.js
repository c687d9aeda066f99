// Rows of calls as they come: put on top while nobody would be disturbed, else counted and offered.
import { documentOf, tableRow } from "./markup.js";

const KEPT = 200;

export function liveCalls() {
  const bar = document.querySelector("[data-live-calls]");
  if (!bar) return null;
  const part = (name) => bar.querySelector(`[data-live-${name}]`);
  const rows = document.querySelector("[data-live-rows]");
  let held = [];
  let paused = false;
  let leftOut = 0;

  const state = (name) => {
    for (const each of bar.querySelectorAll("[data-live-state]")) each.hidden = each.dataset.liveState !== name;
  };
  const offer = () => {
    part("new").hidden = held.length === 0;
    part("new").querySelector("[data-n]").textContent = held.length;
    bar.querySelector("[data-left-out]").hidden = leftOut === 0;
    bar.querySelector("[data-left-out] [data-n]").textContent = leftOut;
  };
  const put = () => {
    if (!held.length) return offer();
    document.querySelector("[data-live-table]").hidden = false;
    document.querySelector("[data-live-empty]")?.remove();
    for (const row of held) {
      if (!rows.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"]`)) rows.prepend(row);
    }
    while (rows.children.length > KEPT) rows.lastElementChild.remove();
    held = [];
    offer();
  };

  part("pause").hidden = false;
  part("newest").hidden = true;
  part("pause").addEventListener("click", () => {
    paused = !paused;
    part("pause").setAttribute("aria-pressed", String(paused));
    state(paused ? "paused" : "on");
  });
  part("new").addEventListener("click", () => {
    put();
    part("pause").focus();
    window.scrollTo({ top: 0 });
  });
  return {
    stream: bar.dataset.liveCalls,
    async connected(is) {
      if (!paused) state(is ? "on" : "away");
      if (is) this.hold(await missed(rows), 0);
    },
    add(html, left) {
      this.hold(html.map(tableRow), left);
    },
    hold(came, left) {
      held.push(...came);
      leftOut += left + Math.max(0, held.length - KEPT);
      held = held.slice(-KEPT);
      if (paused || isRead(rows)) offer();
      else put();
    },
  };
}

// Whoever scrolled down, moved into the list or marked text reads: nothing may move then.
function isRead(rows) {
  const marked = document.getSelection();
  return window.scrollY > 0 || rows.contains(document.activeElement) || rows.querySelector("[data-current]") !== null
    || (marked && !marked.isCollapsed && rows.contains(marked.anchorNode));
}

// What was recorded since the newest row here, while there was no stream: read from the page itself, oldest first.
async function missed(rows) {
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return [];
  const page = documentOf(await answer.text());
  const found = [...page.querySelectorAll("[data-live-rows] tr")];
  const known = rows.firstElementChild?.dataset.id;
  const end = found.findIndex((row) => row.dataset.id === known);
  return found.slice(0, end < 0 ? found.length : end).reverse();
}
