"""RAFT's recurrent update: correlation features and the present flow -> a correction of the flow.

Teed and Deng, "RAFT", ECCV 2020. Attribute names are torchvision's checkpoint keys. The input of a recurrent unit is
[hidden, context, motion]; the context never changes, so its share of the three gates is computed once per pair
(`prepare`), the gates z and r, which read the same channels, are one convolution, and wide convolutions take the form
that is fastest where they run (motion4d.layers.winograd).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.winograd import Convolution, same_convolution


@dataclass(frozen=True)
class PreparedMotion:
    """A motion encoder for many calls. matches: None where one convolution is all that the correlation gets."""

    encoder: MotionEncoder
    matches: Convolution | None
    joined: Convolution

    def features(self, correlation: Tensor, flow: Tensor) -> Tensor:
        """Channels_last maps -> what the encoder says, without the flow: [P, out_channels - 2, h, w]."""
        matches = _pointwise_relu(self.encoder.convcorr1[0], correlation)
        if self.matches is not None:
            matches = self.matches(matches).relu_()
        movement = self.encoder.convflow2(self.encoder.convflow1(flow))
        return self.joined(torch.cat([matches, movement], 1)).relu_()


class MotionEncoder(nn.Module):
    """Correlation features and flow -> motion features, the flow itself being the last two channels.

    correlation_widths: channels after the 1x1 convolution and, if there is a second, after the 3x3 one.
    flow_widths: channels after the 7x7 and the 3x3 convolution.
    """

    def __init__(
        self, correlation_channels: int, *, correlation_widths: Sequence[int], flow_widths: Sequence[int], out: int
    ) -> None:
        super().__init__()
        first, *second = correlation_widths
        self.convcorr1 = _conv_relu(correlation_channels, first, 1)
        self.convcorr2 = _conv_relu(first, second[0], 3) if second else nn.Identity()
        self.convflow1 = _conv_relu(2, flow_widths[0], 7)
        self.convflow2 = _conv_relu(flow_widths[0], flow_widths[1], 3)
        self.conv = _conv_relu(correlation_widths[-1] + flow_widths[1], out - 2, 3)
        self.out_channels = out

    def forward(self, correlation: Tensor, flow: Tensor) -> Tensor:
        """The published form: [P, correlation channels, h, w] and [P, 2, h, w] -> [P, out_channels, h, w]."""
        matches = self.convcorr2(self.convcorr1(correlation))
        movement = self.convflow2(self.convflow1(flow))
        return torch.cat([self.conv(torch.cat([matches, movement], 1)), flow], 1)

    def prepare(self) -> PreparedMotion:
        """The same for many calls."""
        second = None if isinstance(self.convcorr2, nn.Identity) else _prepared(self.convcorr2[0])
        return PreparedMotion(self, second, _prepared(self.conv[0]))


@dataclass(frozen=True)
class PreparedUnit:
    """A recurrent unit for given pairs: what its gates read of the context is already summed.

    gates: the last `reads` channels of [hidden, motion] -> 2H channels, z and r; candidate: all of them -> H, q. The
    shares of the context: gates_context [P, 2H, h, w] and candidate_context [P, H, h, w]. If the hidden state before a
    step never changes either, the gates' share of it is summed too, and they read the motion alone.
    """

    gates: Convolution
    reads: int
    gates_context: Tensor
    candidate: Convolution
    candidate_context: Tensor

    def step(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """The next hidden state [P, H, h, w].

        inputs: [P, H+M, h, w], the hidden state and the motion features; its first part is overwritten (no copy of the
        motion features is made, which is a good part of a step's time).
        """
        gates = self.gates(inputs[:, inputs.shape[1] - self.reads :]).add_(self.gates_context).sigmoid_()
        update, reset = gates.chunk(2, 1)
        torch.mul(reset, hidden, out=inputs[:, : hidden.shape[1]])
        candidate = self.candidate(inputs).add_(self.candidate_context).tanh_()
        return torch.lerp(hidden, candidate, update)


class ConvGru(nn.Module):
    """A convolutional gated recurrent unit over [hidden, context, motion]."""

    def __init__(self, hidden: int, context: int, motion: int, *, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        channels = hidden + context + motion
        self.convz = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self.convr = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self.convq = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self.hidden, self.context = hidden, context

    def forward(self, hidden: Tensor, inputs: Tensor) -> Tensor:
        """The published form: [P, H, h, w] and [context, motion] -> the next hidden state."""
        both = torch.cat([hidden, inputs], 1)
        update = torch.sigmoid(self.convz(both))
        reset = torch.sigmoid(self.convr(both))
        candidate = torch.tanh(self.convq(torch.cat([reset * hidden, inputs], 1)))
        return (1 - update) * hidden + update * candidate

    def prepare(self, context: Tensor, *, restart: Tensor | None = None) -> PreparedUnit:
        """The unit with the share of the context [P, C, h, w] computed.

        restart: the hidden state [P, H, h, w] that every step starts with again, if it does.
        """
        weight = torch.cat([self.convz.weight, self.convr.weight, self.convq.weight])
        bias = torch.cat([conv.bias for conv in (self.convz, self.convr, self.convq) if conv.bias is not None])
        first, last = self.hidden, self.hidden + self.context
        constant = F.conv2d(context, weight[:, first:last], bias, padding=self.convz.padding)
        gates_constant, candidate_constant = constant.split([2 * self.hidden, self.hidden], 1)
        changing = torch.cat([weight[:, :first], weight[:, last:]], 1)
        gates, candidate = changing.split([2 * self.hidden, self.hidden])
        if restart is not None:
            of_hidden, gates = gates.split([self.hidden, gates.shape[1] - self.hidden], 1)
            gates_constant = gates_constant + F.conv2d(restart, of_hidden, padding=self.convz.padding)
        return PreparedUnit(
            same_convolution(gates), gates.shape[1], gates_constant, same_convolution(candidate), candidate_constant
        )


class RecurrentBlock(nn.Module):
    """One unit per kernel, one after the other: (1, 5) and (5, 1) in the large network, (3, 3) in the small one."""

    def __init__(self, hidden: int, context: int, motion: int, *, kernels: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        for number, kernel in enumerate(kernels, start=1):
            self.add_module(f"convgru{number}", ConvGru(hidden, context, motion, kernel=kernel))

    @property
    def units(self) -> list[ConvGru]:
        """The units in order."""
        return [unit for unit in self.children() if isinstance(unit, ConvGru)]


class FlowHead(nn.Module):
    """Hidden state -> correction of the flow, [P, 2, h, w] in coarse pixels; `out` if more is predicted with it."""

    def __init__(self, hidden: int, width: int, *, out: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """[P, H, h, w] -> [P, out, h, w]."""
        return self.conv2(self.conv1(hidden).relu_())

    def prepare(self) -> Convolution:
        """The same for many calls."""
        wide = _prepared(self.conv1)
        return lambda hidden: self.conv2(wide(hidden).relu_())


@dataclass(frozen=True)
class PreparedUpdate:
    """An update block for given pairs."""

    motion: PreparedMotion
    units: Sequence[PreparedUnit]
    flow_head: Convolution

    def step(self, hidden: Tensor, correlation: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden state and the correction of the flow, float32."""
        features = self.motion.features(correlation, flow)
        inputs = torch.cat([hidden, features, flow.to(features.dtype)], 1)
        hidden = self.units[0].step(inputs, hidden)
        for unit in self.units[1:]:
            inputs[:, : hidden.shape[1]] = hidden
            hidden = unit.step(inputs, hidden)
        return hidden, self.flow_head(hidden).float()


class UpdateBlock(nn.Module):
    """Motion encoder, recurrent units and flow head."""

    def __init__(self, *, motion_encoder: MotionEncoder, recurrent_block: RecurrentBlock, flow_head: FlowHead) -> None:
        super().__init__()
        self.motion_encoder = motion_encoder
        self.recurrent_block = recurrent_block
        self.flow_head = flow_head
        self.hidden = recurrent_block.units[0].hidden
        self.context = recurrent_block.units[0].context

    def prepare(self, context: Tensor, *, restart: Tensor | None = None) -> PreparedUpdate:
        """The block for pairs with this context [P, C, h, w].

        restart: the hidden state [P, H, h, w] that every step starts with again, if it does.
        """
        first, *others = self.recurrent_block.units
        units = [first.prepare(context, restart=restart), *(unit.prepare(context) for unit in others)]
        return PreparedUpdate(self.motion_encoder.prepare(), units, self.flow_head.prepare())


class MaskPredictor(nn.Module):
    """Hidden state -> logits of the convex upsampling, [P, 9*factor*factor, h, w].

    scale: a constant that is part of the network; 0.25 in RAFT and SEA-RAFT, 1 in GMFlow.
    """

    def __init__(self, hidden: int, width: int, *, factor: int = 8, scale: float = 0.25) -> None:
        super().__init__()
        self.convrelu = _conv_relu(hidden, width, 3)
        self.conv = nn.Conv2d(width, 9 * factor * factor, 1)
        self.scale = scale

    def forward(self, hidden: Tensor) -> Tensor:
        """[P, H, h, w] -> [P, 9*factor*factor, h, w]."""
        return self.scale * self.conv(self.convrelu(hidden))


def _conv_relu(in_channels: int, channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2), nn.ReLU(inplace=True))


def _prepared(conv: nn.Module) -> Convolution:
    assert isinstance(conv, nn.Conv2d)
    return same_convolution(conv.weight, conv.bias)


def _pointwise_relu(conv: nn.Module, x: Tensor) -> Tensor:
    """A 1x1 convolution and ReLU of a channels_last map as a matrix product: on one thread, torch's own is slow."""
    assert isinstance(conv, nn.Conv2d)
    return F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias).relu_().permute(0, 3, 1, 2)
