// What the server rendered, as nodes: parsed as a document of its own, where no script of it runs and nothing loads.
const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

export const nodes = (html) => [...parsed(html).body.childNodes];

export const tableRow = (html) => parsed(`<table><tbody>${html}</tbody></table>`).querySelector("tr");

export const documentOf = parsed;
