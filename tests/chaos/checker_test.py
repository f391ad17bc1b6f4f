#!/usr/bin/env python3
"""The checker against histories made by hand: a good one, and each kind of bad one."""

import copy
import unittest

import checker


def good_history():
    """alpha serves, is killed at 10.0, beta is granted epoch 2; edits before and after."""
    events = [
        {"t": 0.0, "what": "grant", "epoch": 1, "node": "alpha"},
        {"t": 1.0, "what": "start", "calm": 0.5},
        {"t": 10.01, "what": "grant", "epoch": 2, "node": "beta"},
        {"t": 10.0, "what": "fault", "number": 1, "name": "kill_master", "healed": 11.0,
         "settled": 12.0, "steady": False, "survivors": [], "why": "", "master": "alpha"},
        {"t": 14.0, "what": "fault", "number": 2, "name": "cut_peer", "healed": 15.0,
         "settled": 15.5, "steady": True, "survivors": [], "why": "", "master": "beta"},
        {"t": 0.1, "what": "sample", "node": "gateway", "epoch": 1, "holder": "alpha", "active": "alpha"},
        {"t": 10.02, "what": "sample", "node": "gateway", "epoch": 2, "holder": "beta", "active": "beta"},
        {"t": 0.1, "what": "sample", "node": "alpha", "role": "master", "state": "active", "epoch": 1, "tunnel": "active"},
        {"t": 0.1, "what": "sample", "node": "beta", "role": "shadow", "state": "ready", "epoch": 1, "tunnel": "standby"},
        {"t": 10.05, "what": "sample", "node": "beta", "role": "master", "state": "active", "epoch": 2, "tunnel": "active"},
        {"t": 11.5, "what": "sample", "node": "alpha", "role": "shadow", "state": "ready", "epoch": 2, "tunnel": "standby"},
    ]  # fmt: skip
    for n in range(1, 101):  # Before the first fault, at 200 a second.
        events += request(n, 0.5 + n / 200, "alpha")
    events += request(101, 9.9, "alpha") + request(102, 10.1, "beta") + request(103, 16.0, "beta")
    events.append({"t": 9.999, "what": "request", "n": 104, "end": 10.0, "node": None, "error": "reset"})
    events += [edit("op-1", 0.6, "1.1"), edit("op-2", 9.0, "1.2"), edit("op-3", 13.0, "2.3", at="beta"),
               edit("op-4", 13.5, None, at="alpha", outcome="refused")]  # fmt: skip
    before, after = [["1.1", "op-1"], ["1.2", "op-2"]], [["2.3", "op-3"]]
    for node in ("alpha", "beta"):
        events.append({"t": 12.5, "what": "entries", "node": node, "look": 1, "entries": before, "final": False})
        events.append({"t": 20.0, "what": "entries", "node": node, "look": 2, "entries": before + after, "final": True})
    return sorted(copy.deepcopy(events), key=lambda event: event["t"])


def request(n, t, node, took=0.002):
    return [{"t": t, "what": "request", "n": n, "end": t + took, "node": node, "error": None},
            {"t": t + took / 2, "what": "served", "n": n, "node": node}]  # fmt: skip


def edit(op, t, revision, at="alpha", outcome="acknowledged"):
    return {"t": t, "what": "edit", "op": op, "end": t + 0.01, "at": at, "outcome": outcome, "revision": revision}


class Checked(unittest.TestCase):
    def setUp(self):
        self.events = good_history()

    def find(self, what, **fields):
        """The one event with these fields."""
        found = [e for e in self.events if e["what"] == what and all(e.get(k) == v for k, v in fields.items())]
        self.assertTrue(found, f"no {what} with {fields}")
        return found[0]

    def add(self, *events):
        self.events.extend(events)

    def violates(self, name, *words):
        self.events.sort(key=lambda event: event["t"])
        found = checker.check(self.events)
        self.assertTrue(found, "nothing was found")
        matching = [text for text in found if text.startswith(name) and all(word in text for word in words)]
        self.assertTrue(matching, f"none of these is of {name} {words}: {found}")

    def is_good(self):
        self.events.sort(key=lambda event: event["t"])
        self.assertEqual(checker.check(self.events), [])


class Good(Checked):
    def test_good_history(self):
        self.is_good()

    def test_parked_request_is_answered_by_the_next_holder(self):
        self.add(*request(200, 9.99, "beta", took=0.5))
        self.is_good()

    def test_stream_drains_on_the_old_holder(self):
        self.add(*request(200, 10.0, "alpha", took=1.0))
        self.is_good()

    def test_unknown_edit_may_be_there_or_not(self):
        self.add(edit("op-8", 12.9, None, outcome="unknown"), edit("op-2", 8.9, None, outcome="unknown"))
        self.is_good()

    def test_edit_retried_after_an_unknown_outcome(self):
        self.add(edit("op-3", 12.8, None, outcome="unknown"), edit("op-3", 13.2, "2.3"))
        self.is_good()

    def test_change_of_role_while_the_machine_was_away(self):
        self.add({"t": 14.5, "what": "grant", "epoch": 3, "node": "alpha"},
                 {"t": 14.6, "what": "stall", "length": 0.8})  # fmt: skip
        self.events = [e for e in self.events if e["t"] < 16 or e["what"] != "request" and e["what"] != "served"]
        self.is_good()


class Void(Checked):
    def test_too_little_traffic(self):
        self.events = [e for e in self.events if e.get("n", 0) > 100 or e.get("n", 0) < 20]
        self.violates("void", "answers")

    def test_no_edit_before_the_first_fault(self):
        self.find("edit", op="op-1")["outcome"] = "provisional"
        self.violates("void", "no edit")

    def test_no_fault(self):
        self.events = [e for e in self.events if e["what"] != "fault"]
        self.violates("void", "no fault")

    def test_never_started(self):
        self.events.remove(self.find("start"))
        self.violates("void", "first fault")


class Active(Checked):
    def test_epoch_granted_twice(self):
        self.add({"t": 10.5, "what": "grant", "epoch": 2, "node": "alpha"})
        self.violates("grants", "epoch 2")

    def test_epoch_goes_back(self):
        self.add({"t": 13.0, "what": "grant", "epoch": 1, "node": "alpha"})
        self.violates("grants", "after 2")

    def test_no_grant_at_all(self):
        self.events = [e for e in self.events if e["what"] != "grant"]
        self.violates("grants", "none")

    def test_both_answer(self):
        self.add(*request(200, 13.0, "alpha"))
        self.violates("active", "request 200", "answered by alpha")

    def test_shadow_answers(self):
        self.add(*request(200, 5.0, "beta"))
        self.violates("active", "request 200", "answered by beta")

    def test_shadow_serves_what_nobody_answered(self):
        self.add({"t": 5.0, "what": "served", "n": 300, "node": "beta"})
        self.violates("active", "served request 300", "without a grant")

    def test_frozen_master_serves_when_it_wakes_up(self):
        self.add({"t": 9.99, "what": "request", "n": 200, "end": 10.01, "node": None, "error": "reset"},
                 {"t": 13.9, "what": "served", "n": 200, "node": "alpha"})  # fmt: skip
        self.violates("active", "alpha served request 200", "fenced")

    def test_gateway_routes_to_another_than_the_holder(self):
        self.find("sample", node="gateway", epoch=2)["active"] = "alpha"
        self.violates("active", "routes to alpha")


class Claims(Checked):
    def test_two_masters_in_one_epoch(self):
        self.add({"t": 13.0, "what": "sample", "node": "alpha", "role": "master", "state": "active",
                  "epoch": 2, "tunnel": "active"})  # fmt: skip
        self.violates("claims", "alpha calls itself active in epoch 2")

    def test_active_before_the_grant(self):
        self.find("sample", node="beta", epoch=2)["t"] = 9.0
        self.violates("claims", "before it was granted")

    def test_active_in_an_epoch_nobody_granted(self):
        self.find("sample", node="beta", epoch=2)["epoch"] = 7
        self.violates("claims", "epoch 7")

    def test_instance_goes_back_to_an_older_epoch(self):
        self.add({"t": 13.0, "what": "sample", "node": "alpha", "role": "shadow", "state": "ready",
                  "epoch": 1, "tunnel": "standby"})  # fmt: skip
        self.violates("claims", "alpha went back")

    def test_gateway_forgets_an_epoch(self):
        self.add({"t": 13.0, "what": "sample", "node": "gateway", "epoch": 1, "holder": "alpha", "active": None})
        self.violates("claims", "gateway went back")

    def test_gateway_names_another_holder(self):
        self.find("sample", node="gateway", epoch=2).update(holder="alpha", active="alpha")
        self.violates("claims", "names alpha")


class Answers(Checked):
    def test_request_served_by_both(self):
        self.add({"t": 10.05, "what": "served", "n": 101, "node": "beta"})
        self.violates("answers", "101", "2 times")

    def test_request_served_twice_by_one(self):
        self.add({"t": 10.11, "what": "served", "n": 102, "node": "beta"})
        self.violates("answers", "102", "2 times")

    def test_two_answers(self):
        self.add(dict(self.find("request", n=101)))
        self.violates("answers", "101", "two answers")

    def test_answer_nobody_gave(self):
        self.events.remove(self.find("served", n=102))
        self.violates("answers", "102", "not asked")


class Edits(Checked):
    def entries(self, node, final=True):
        return self.find("entries", node=node, final=final)["entries"]

    def test_acknowledged_edit_is_lost_on_both(self):
        for node in ("alpha", "beta"):
            self.entries(node).remove(["2.3", "op-3"])
        self.violates("edits", "op-3", "lost")

    def test_acknowledged_edit_is_lost_on_one(self):
        self.entries("alpha").remove(["2.3", "op-3"])
        self.violates("edits", "op-3", "lost on alpha")

    def test_acknowledged_edit_got_another_revision(self):
        self.entries("beta")[2] = ["2.4", "op-3"]
        self.violates("edits", "op-3", "lost on beta")

    def test_edit_is_there_twice(self):
        for node in ("alpha", "beta"):
            self.entries(node).append(["2.4", "op-3"])
        self.violates("entries", "op-3 is 2 times")

    def test_refused_edit_is_there(self):
        for node in ("alpha", "beta"):
            self.entries(node).append(["2.4", "op-4"])
        self.violates("edits", "op-4 was refused")

    def test_settled_revision_is_rewritten(self):
        for node in ("alpha", "beta"):
            self.entries(node)[1] = ["1.2", "op-9"]
        self.violates("entries", "1.2", "was op-2 and is op-9")

    def test_two_histories_differ(self):
        self.entries("beta").append(["2.4", None])
        self.entries("alpha").append(["2.4", "op-9"])
        self.violates("entries", "2.4")

    def test_one_history_is_longer(self):
        self.entries("beta").append(["2.4", None])
        self.violates("entries", "differ", "2.4")

    def test_history_out_of_order(self):
        self.entries("alpha").reverse()
        self.violates("entries", "not in order")

    def test_hole_between_two_looks(self):
        for node in ("alpha", "beta"):
            self.find("entries", node=node, final=True)["entries"] = [["2.3", "op-3"]]
        self.violates("entries", "hole")

    def test_later_edit_got_an_earlier_revision(self):
        self.find("edit", op="op-1")["revision"], self.find("edit", op="op-2")["revision"] = "1.2", "1.1"
        for event in self.events:
            if event["what"] == "entries":
                event["entries"][:2] = [["1.1", "op-2"], ["1.2", "op-1"]]
        self.violates("edits", "op-2 is 1.1", "acknowledged before")

    def test_retry_is_acknowledged_as_another_revision(self):
        self.add(edit("op-3", 13.2, "2.4"))
        self.violates("edits", "op-3", "2.3 and 2.4")

    def test_nobody_looked_after_the_last_edit(self):
        self.add(edit("op-9", 21.0, "2.4"))
        self.violates("edits", "op-9", "nobody looked")

    def test_final_history_is_missing(self):
        self.events = [e for e in self.events if not e.get("final")]
        self.violates("entries", "final")


class Faults(Checked):
    def test_needless_takeover(self):
        self.add({"t": 14.5, "what": "grant", "epoch": 3, "node": "alpha"})
        self.violates("steady", "cut_peer", "epoch 3")

    def test_no_recovery(self):
        self.find("fault", number=1)["settled"] = None
        self.violates("recovery", "kill_master")

    def test_recovery_takes_too_long(self):
        self.find("fault", number=1)["settled"] = 60.0
        self.violates("recovery", "49.0 s")

    def test_history_could_not_be_read_after_a_fault(self):
        self.find("fault", number=1)["why"] = "not within 45 s: equal"
        self.violates("recovery", "not complete")

    def test_process_goes_on_after_a_failed_sync(self):
        self.find("fault", number=1)["survivors"] = ["alpha"]
        self.violates("recovery", "alpha went on")


class Figures(Checked):
    def test_outage_is_the_longest_gap(self):
        fault = self.find("fault", number=1)
        self.assertAlmostEqual(checker.outage(checker.answered(self.events), fault), 0.2, places=6)

    def test_outage_without_any_answer_is_the_whole_fault(self):
        fault = self.find("fault", number=2)
        self.assertAlmostEqual(checker.outage(checker.answered(self.events), fault), 1.5, places=6)

    def test_figures_name_each_fault(self):
        self.assertIn("kill_master", checker.figures(self.events))
        self.assertIn("2 grants", checker.figures(self.events))


if __name__ == "__main__":
    unittest.main()
