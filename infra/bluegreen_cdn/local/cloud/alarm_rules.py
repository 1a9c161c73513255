"""When an alarm is in which state: CloudWatch's M-out-of-N rule and its four ways with missing data, pure."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_PERIODS = 2
"""CloudWatch looks a little further back than it must, and uses older points in the place of missing ones."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
MISSING_DATA_TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """The part of an alarm that decides its state."""

    comparison: str
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    treat_missing_data: str = "missing"

    @property
    def window_periods(self) -> int:
        """How many periods to look at: the evaluation periods and a few older ones."""
        return self.evaluation_periods + EXTRA_PERIODS

    def decide(self, values: Sequence[float | None], present: str) -> str:
        """Give the state for the window's values, oldest first, None where a point is missing.

        Args:
            values: One per period, `window_periods` of them.
            present: The state that the alarm is in.
        """
        breaches = [None if value is None else COMPARISONS[self.comparison](value, self.threshold) for value in values]
        known = [breach for breach in breaches if breach is not None][-self.evaluation_periods :]
        missing = self.evaluation_periods - len(known)
        breaching = sum(known)
        match self.treat_missing_data:
            case "breaching":
                return ALARM if breaching + missing >= self.datapoints_to_alarm else OK
            case "notBreaching":
                return ALARM if breaching >= self.datapoints_to_alarm else OK
        if breaching >= self.datapoints_to_alarm:
            return ALARM
        if not known:
            return present if self.treat_missing_data == "ignore" else INSUFFICIENT_DATA
        if not all(known):
            return OK
        # Only breaching points, too few of them: the premature alarm of CloudWatch's documentation.
        if self.treat_missing_data == "ignore":
            return present
        oldest = next(index for index, breach in enumerate(breaches) if breach is not None)
        return ALARM if len(breaches) - oldest >= self.datapoints_to_alarm else OK


def reason(rule: AlarmRule, values: Sequence[float | None], state: str) -> str:
    """Give the sentence that CloudWatch shows for a new state."""
    recent = [value for value in values if value is not None][-rule.evaluation_periods :]
    if state == INSUFFICIENT_DATA or not recent:
        return (
            f"Insufficient Data: {rule.evaluation_periods} datapoint(s) were unknown"
            if state == INSUFFICIENT_DATA
            else f"Threshold Crossed: no datapoints were received for {rule.evaluation_periods} period(s) and "
            f"{rule.evaluation_periods} missing datapoint(s) were treated as [{_treated(rule)}]"
        )
    shown = ", ".join(f"{value:g}" for value in reversed(recent))
    verb = "were" if len(recent) > 1 else "was"
    negation = "" if state == ALARM else "not "
    words = {
        "GreaterThanOrEqualToThreshold": "greater than or equal to",
        "GreaterThanThreshold": "greater than",
        "LessThanThreshold": "less than",
        "LessThanOrEqualToThreshold": "less than or equal to",
    }
    return (
        f"Threshold Crossed: {len(recent)} datapoint(s) [{shown}] {verb} {negation}{words[rule.comparison]} the "
        f"threshold ({rule.threshold:g}) (minimum {rule.datapoints_to_alarm} datapoint(s) for ALARM)"
    )


def _treated(rule: AlarmRule) -> str:
    return {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.treat_missing_data, "Missing")
