"""One line for each figure that has a target."""


def verdict(what: str, value: float, must: float, aim: float | None = None, *, more: bool = False) -> str:
    """One line: a figure, its target and whether it is met. `more`: more is better."""
    met = value >= must if more else value <= must
    better = aim is not None and (value >= aim if more else value <= aim)
    sign = ">=" if more else "<="
    aimed = f", aim {sign} {aim:g}" if aim is not None else ""
    said = "AIM" if better else "met" if met else "MISSED"
    return f"{said:<8}{value:>10.2f}  ({sign} {must:g}{aimed})  {what}"
