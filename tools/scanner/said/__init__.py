"""The acts that texts are searched for, by family: a module each, a row per act."""
