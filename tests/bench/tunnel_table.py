"""The samples of a row, and what is said about them."""

import statistics


def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def verdict(what, value, limit, at_least):
    met = value >= limit if at_least else value <= limit
    return f"{what} {number(value)} ({'>=' if at_least else '<='} {limit:g}: {'met' if met else 'MISSED'})"


class Table:
    """Of one row; the first column decides its ratios."""

    def __init__(self, name, row):
        self.name, self.row, self.samples = name, row, {}

    def add(self, who, sample):
        self.samples.setdefault(who, []).append(sample)

    @property
    def columns(self):
        return list(next(iter(self.samples.values()))[0])

    def values(self, who, column):
        return [sample[column] for sample in self.samples[who] if sample[column] is not None]

    def median(self, who, column):
        values = self.values(who, column)
        return statistics.median(values) if values else None

    def ratio(self, who):
        pairs = zip(self.values("umbra", self.columns[0]), self.values(who, self.columns[0]))
        return statistics.median(a / b if b else float("inf") for a, b in pairs)

    def best(self):
        """The peer with the most."""
        peers = [who for who in self.samples if who not in ("direct", "umbra")]
        return max(peers, key=lambda who: self.median(who, self.columns[0]), default=None)

    def verdicts(self):
        row = self.row
        for name, limit in row.ratios.items():
            beside = self.best() if name == "best" else name
            if beside in self.samples:
                yield verdict(f"of {beside}", self.ratio(beside), limit, True)
        for limits, at_least in ((row.most, False), (row.least, True)):
            for column, limit in limits.items():
                yield verdict(column, self.median("umbra", column), limit, at_least)
        for column, limit in row.added.items():
            pairs = zip(self.values("umbra", column), self.values("direct", column))
            yield verdict(f"added {column}", statistics.median(a - b for a, b in pairs), limit, False)

    def show(self):
        first, *others = self.columns
        print(f"\n{self.name}: {self.row.title}")
        print(f"  {'':<9}" + "".join(f"{text:>10}" for text in (first, "min", "max", *others, "umbra/it")))
        for who in self.samples:
            values = self.values(who, first)
            cells = [self.median(who, first), min(values), max(values), *(self.median(who, c) for c in others)]
            ratio = "" if who == "umbra" else f"{self.ratio(who):.2f}"
            print(f"  {who:<9}" + "".join(f"{number(cell):>10}" for cell in cells) + f"{ratio:>10}")
        for text in self.verdicts():
            print(f"  {'aim':<9} {text}")
        print(end="", flush=True)
