// Entry of the console's scripts. Every page works without them; they only shorten the way.
import { copyButtons } from "./copy.js";
import { grids } from "./grid.js";
import { listKeys } from "./keys.js";
import { passkeys } from "./passkeys.js";
import { selection } from "./selection.js";
import { unfolding } from "./unfold.js";

copyButtons();
grids();
listKeys();
passkeys();
selection();
unfolding();

// A page that comes back with errors starts where they are.
document.querySelector("[role=alert]")?.focus();
