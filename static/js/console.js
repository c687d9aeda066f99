// Entry of the console's scripts. Every page works without them; they only shorten the way.
import { copyButtons } from "./copy.js";
import { grids } from "./grid.js";
import { listKeys } from "./keys.js";
import { live } from "./live.js";
import { palette } from "./palette.js";
import { passkeys } from "./passkeys.js";
import { scrolling } from "./scroll.js";
import { selection } from "./selection.js";
import { ticking } from "./ticking.js";
import { unfolding } from "./unfold.js";

copyButtons();
grids();
listKeys();
live();
palette();
passkeys();
scrolling();
selection();
ticking();
unfolding();

// A page that comes back with errors starts where they are.
document.querySelector("[role=alert]")?.focus();
