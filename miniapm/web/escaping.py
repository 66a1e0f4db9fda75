"""Cheaper pages out of the same templates: their pieces are joined into one text anyway, so none
needs to be a Markup of its own, nor to be handed on from block to template to base one by one.

This reaches below Jinja's interface, so `pyproject.toml` keeps to its 3.1.
"""

from collections.abc import Iterable
from typing import Any

from jinja2 import Environment, nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import Markup, escape


class _PieceGenerator(CodeGenerator):
    """Jinja's, but what is escaped for sure goes through `escape_piece`, and a block gives all that
    is in it at once."""

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.escape_piece(")

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        if not frame.block_frame or frame.buffer is not None:
            super().blockvisit(nodes, frame)
            return
        self.buffer(frame)
        super().blockvisit(nodes, frame)
        self.writeline(f"yield concat({frame.buffer})")
        frame.buffer = None


class PageEnvironment(Environment):
    """A Jinja environment whose templates write their values by `escape_piece`."""

    code_generator_class = _PieceGenerator

    @staticmethod
    def escape_piece(value: Any) -> str:
        """The text of `value` in HTML: what `markupsafe.escape` gives, maybe as a plain string."""
        kind = type(value)
        if kind is str:
            if "&" in value or "<" in value or ">" in value or '"' in value or "'" in value:
                return escape(value)
            return str(value)
        if kind is Markup:
            return str(value)
        return str(value) if kind is int else escape(value)
