// Arrow keys in a table of cells (ARIA grid): one stop for the tab key, and the arrows move within.
export function grids() {
  for (const table of document.querySelectorAll("table[data-grid]")) start(table);
}

const ITEM = "a[href], button, input:not([type=hidden])";
const rowsOf = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.querySelector(ITEM) ?? cell));

function start(table) {
  table.setAttribute("role", "grid");
  const rows = rowsOf(table);
  for (const item of rows.flat()) item.tabIndex = -1;
  rows[0][0].tabIndex = 0;
  table.addEventListener("focusin", (event) => stop(table, event.target));
  table.addEventListener("keydown", (event) => {
    const target = event.ctrlKey || event.altKey || event.metaKey ? undefined : goal(rowsOf(table), table, event);
    if (!target) return;
    event.preventDefault();
    target.focus();
  });
}

// The cell that was in focus last is where the tab key comes back to.
function stop(table, item) {
  for (const other of table.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  item.tabIndex = 0;
}

function goal(rows, table, event) {
  const row = rows.findIndex((items) => items.includes(event.target));
  if (row < 0) return undefined;
  const column = rows[row].indexOf(event.target);
  const forward = getComputedStyle(table).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  switch (event.key) {
    case forward: return rows[row][column + 1];
    case backward: return rows[row][column - 1];
    case "ArrowDown": return rows[row + 1]?.[column];
    case "ArrowUp": return rows[row - 1]?.[column];
    case "Home": return rows[row][0];
    case "End": return rows[row].at(-1);
    default: return undefined;
  }
}
