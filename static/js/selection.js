// "Select all" and how many reviews the selected rows of a bulk form stand for, and the field of who is to look at them.
export function selection() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-bulk]");
    if (!form) return;
    if (event.target.matches("[data-select-all]")) selectAll(form, event.target.checked);
    count(form);
  });
  // Enter in the field of a name gives to that person; a form's own first button would decide.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".bulk__name")) return;
    event.preventDefault();
    event.target.parentElement.querySelector("[data-give]").click();
  });
  for (const form of document.querySelectorAll("form[data-bulk]")) start(form);
  document.addEventListener("htmx:afterSwap", () => document.querySelectorAll("form[data-bulk]").forEach(start));
}

const boxes = (form) => [...form.querySelectorAll("input[type=checkbox][data-select]")];

function start(form) {
  const all = form.querySelector("[data-select-all]");
  if (all) all.closest("[hidden]")?.removeAttribute("hidden");
  count(form);
}

function selectAll(form, checked) {
  for (const box of boxes(form)) box.checked = checked;
}

export function count(form) {
  const output = form.querySelector("[data-selected]");
  if (!output) return;
  const chosen = boxes(form).filter((box) => box.checked);
  output.textContent = chosen.reduce((sum, box) => sum + (Number(box.dataset.select) || 1), 0);
}
