"""How the audit log proves itself: chain, MAC, tree, checkpoints, bundles. Pure: no Django, no database."""
