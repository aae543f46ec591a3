"""A microcontroller as an edge of a run: this machine answers for it with the lines it printed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecavg_tf.core.bundles.micro_head import MicroHead
from ecavg_tf.core.bundles.training_bundle import frozen_sha256
from ecavg_tf.core.errors import ConfigError, DataError, ModelError, RoundError
from ecavg_tf.core.messages.device_lines import DeviceHead, head_lines, read_head_lines
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, HELLO, Request
from ecavg_tf.core.messages.tensor_rest import KEYS, read_whole
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.scores import Accepted, Decision, Rung
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.events import Listener, silent
from edge.participating.agent import check_exchange
from edge.participating.serving import Served, answer_newest, check_took_part
from edge.participating.store import EdgeStore


@dataclass(frozen=True)
class Bridge:
    """One edge of a run over a folder, whose training a microcontroller does.

    The device keeps no guard set, so it takes every global model that it is sent; the evidence of
    its decisions says so.

    Attributes:
        head: what the device trains.
        edge: its name.
        exchange: the run's exchange folder.
        state: a folder for what must be kept between rounds.
        listener: told of answers.
    """

    head: MicroHead
    edge: str
    exchange: Path
    state: Path
    listener: Listener = silent

    def weights(self) -> str:
        """The head of the newest request as lines for the device.

        Raises:
            ECAvgError: none waits for an answer, or it is of another model.
        """
        request = self._request(self._mailbox())
        kernel, bias = (self._sent(request)[at] for at in self.head.held)
        return head_lines(DeviceHead(self.head.frozen, self._no_counts, kernel, bias))

    def answer(self, lines: str | None) -> None:
        """Answers the newest request.

        Args:
            lines: what the device printed after it trained; None at the run's end, which asks
                for no training.

        Raises:
            ECAvgError: no request waits, or the lines don't answer it.
        """
        mailbox = self._mailbox()
        kind = self._request(mailbox).kind
        if (kind == EXCHANGE) != (lines is not None):
            wanted = "LINES of the device are missing" if lines is None else "leave LINES out"
            raise ConfigError(f"the newest request is {kind!r}: {wanted}")
        trained = None if lines is None else read_lines(lines, self.head)
        folder = self.state / self.edge
        check_took_part(mailbox, folder, "--state")
        served = Served(mailbox, lambda request: self._reply(request, trained), Owner.of(folder))
        mailbox.check_owner(Owner.of(folder))
        answer_newest(served, self.listener)

    @property
    def _no_counts(self) -> tuple[int, ...]:
        return (0,) * len(self.head.classes)

    def _mailbox(self) -> Mailbox:
        check_exchange(self.exchange, self.edge)
        return Mailbox(self.exchange / self.edge)

    def _request(self, mailbox: Mailbox) -> Request:
        try:
            request = mailbox.unanswered()
        except ValueError as error:
            raise RoundError(f"{self.edge}: {error}") from error
        if request is None:
            raise RoundError(f"no request waits for an answer in {mailbox.inbox}")
        if request.kind == HELLO:
            raise ConfigError(
                "the server asks what the edge's data is, which a microcontroller can't tell: "
                "begin the run with a number of edges of its own (partition.num_edges)"
            )
        return request

    def _sent(self, request: Request) -> list[Array]:
        """The weights of a request, if they are of the device's model."""
        weights = request.model.weights
        if weights is None:
            raise ModelError(f"{self.edge} draws no start of its own; set model.init=shared")
        mine, theirs = (
            [(spec.shape, spec.dtype) for spec in template.weights]
            for template in (self.head.template, request.template)
        )
        if mine != theirs or frozen_sha256(weights, self.head.held) != self.head.frozen_sha256:
            raise ModelError(
                "the run's model has other layers before its head than the device; set "
                "model.train=head in the run, and build the firmware from sources of its model"
            )
        return list(weights)

    def _reply(self, request: Request, trained: DeviceHead | None) -> Reply:
        store = EdgeStore(self.state / self.edge, self.edge, request.run_id)
        weights = self._sent(request)
        if trained is None:
            taken = self._taken(store, request, weights, request.round)
            store.save_finished(taken)
            return Reply(self.edge, request.round, None, None, taken, {})
        if request.config.get("edge.dp_clip"):
            raise ConfigError("edge.dp_clip: a microcontroller's updates get no noise; set it to 0")
        start = weights_sha256(weights)
        known = store.reply(request.round, start)
        if known is not None:
            return known
        decision = None
        if request.round > 1:
            decision = self._taken(store, request, weights, request.round - 1)
        path = store.update_path(request.round)
        also = self._also(request.template, weights)
        write(path, self.head, request.template, trained, self.edge, request.round, also)
        reply = Reply(self.edge, request.round, path, None, decision, {})
        store.commit(reply, start)
        return reply

    def _also(self, template: Template, weights: list[Array]) -> dict[str, Array]:
        """Weights that the device does not train, and that the run does not let an edge omit."""
        return {
            spec.key: value
            for at, (spec, value) in enumerate(zip(template.weights, weights, strict=True))
            if at not in self.head.held and not spec.omittable
        }

    def _taken(
        self, store: EdgeStore, request: Request, weights: list[Array], round_number: int
    ) -> Decision:
        """That the device takes the global model of a round."""
        last = store.last_update(before=round_number + 1)
        if last is None:
            raise RoundError(f"{self.edge} has trained in no round of this run: {store.folder}")
        info = Update(last).info
        evidence = {"policy": "replace", "why": "a microcontroller keeps no guard set"}
        decision = Decision(
            round=round_number,
            edge=self.edge,
            examples=info.examples,
            class_counts=info.class_counts,
            rungs=(Rung("global", None, None, None),),
            accepted=Accepted("global", None, None, None, weights_sha256(weights), evidence),
            seconds=0.0,
        )
        store.save_accepted(decision, request.template.named(weights))
        return decision


def read_lines(text: str, head: MicroHead) -> DeviceHead:
    """What a device printed after it trained.

    Raises:
        DataError: it is no head of this model, or was trained on nothing.
    """
    try:
        found = read_head_lines(text, head.expected)
    except ValueError as error:
        raise DataError(f"the device's lines: {error}") from error
    if sum(found.class_counts) == 0:
        raise DataError("the device's lines: it says that it was trained on no example")
    return found


def write(
    path: Path,
    head: MicroHead,
    template: Template,
    trained: DeviceHead,
    edge: str,
    round_number: int,
    also: Mapping[str, Array],
) -> None:
    """Writes an update file.

    Args:
        path: where to.
        head: what the device trains.
        template: of the run, or the model's own.
        trained: what the device sent.
        edge: the edge's name.
        round_number: the round, from 1.
        also: other weights by their keys.
    """
    keys = [template.weights[at].key for at in head.held]
    info = UpdateInfo(
        round=round_number,
        edge=edge,
        examples=sum(trained.class_counts),
        class_counts=trained.class_counts,
        template_sha256=template.sha256,
        metrics={},
    )
    write_update(path, info, {**also, keys[0]: trained.kernel, keys[1]: trained.bias})


def lines_of_file(path: Path, head: MicroHead) -> str:
    """The head in an update file, or in an accepted model, as lines for the device.

    Raises:
        DataError: it holds none.
    """
    specs = [head.template.weights[at] for at in head.held]
    try:
        said, named = read_whole(path)
        # An accepted model holds all weights in their order: positions tell, keys are labels.
        if KEYS in said and len(named) == len(head.template.weights):
            kernel, bias = (list(named.values())[at] for at in head.held)
        else:
            kernel, bias = (named[spec.key] for spec in specs)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} holds no head of this model: {error}") from error
    for spec, array in zip(specs, (kernel, bias), strict=True):
        if (array.shape, array.dtype.name) != (spec.shape, spec.dtype):
            raise DataError(
                f"{path}: {spec.key} is {array.dtype.name}{array.shape}, the device's head "
                f"{spec.dtype}{spec.shape}"
            )
    if not all(np.isfinite(each).all() for each in (kernel, bias)):
        raise DataError(f"{path}: a weight of the head is NaN or infinite")
    counts = (0,) * len(head.classes)
    return head_lines(DeviceHead(head.frozen, counts, kernel, bias))
