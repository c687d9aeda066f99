// "Tick those of low risk": a link that loads the page with them ticked, and with scripts keeps what was typed.
import { count } from "./selection.js";

export function ticking() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-tick]");
    const form = link?.closest("form[data-bulk]");
    if (!form) return;
    event.preventDefault();
    for (const box of form.querySelectorAll("input[data-low]")) box.checked = true;
    count(form);
  });
}
