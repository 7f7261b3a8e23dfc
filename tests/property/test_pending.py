"""Acknowledgements: in order, once, only on the connection the message came on, and none before it is settled."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from collector.pending import Ack, Pending


class PendingMachine(RuleBasedStateMachine):
    """The model is a list of what came on this connection, with a mark for what is settled."""

    tokens = Bundle("tokens")

    def __init__(self):
        super().__init__()
        self.pending = Pending()
        self.connection = 0
        self.model: list[list] = []  # [message id, settled]
        self.acknowledged: list[int] = []
        self.next_id = 1

    @rule(target=tokens, reuse=st.booleans())
    def receive(self, reuse):
        number = 1 if reuse else self.next_id  # a broker may use an id again
        self.next_id += 1
        token = self.pending.received(number, 1)
        self.model.append([number, False])
        return (self.connection, len(self.model) - 1, token)

    @rule(entry=tokens)
    def settle(self, entry):
        connection, place, token = entry
        acks = self.pending.settled(token)
        if connection != self.connection:
            assert acks == []
            return
        self.model[place][1] = True
        ready = len(self.acknowledged)
        while ready < len(self.model) and self.model[ready][1]:
            ready += 1
        expected = [number for number, _ in self.model[len(self.acknowledged) : ready]]
        assert acks == [Ack(number, 1) for number in expected]
        self.acknowledged += expected

    @rule(entry=consumes(tokens))
    def settle_twice(self, entry):
        self.settle(entry)
        assert self.pending.settled(entry[2]) == []

    @rule()
    def disconnect(self):
        self.pending.disconnected()
        self.connection += 1
        self.model, self.acknowledged = [], []

    @invariant()
    def waits_for_exactly_what_is_not_acknowledged(self):
        assert len(self.pending) == len(self.model) - len(self.acknowledged)


def test_acknowledgements_follow_the_model():
    run_state_machine_as_test(
        PendingMachine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
