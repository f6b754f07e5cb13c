"""The Jinja environment for chat templates.

Template semantics are those of Transformers' `apply_chat_template`: trimmed blocks, loop
controls, its `tojson`, `raise_exception` and `strftime_now`. What it withholds beyond
Jinja's own sandbox is said in the package's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MethodType
from typing import Any

from jinja2 import Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.ext import LoopControlExtension
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Cycler, Joiner, Namespace

from qwq_gguf.chat.sandbox import marked
from qwq_gguf.chat.sandbox.filters import FILTERS, original_name
from qwq_gguf.chat.sandbox.meter import meter, small_int
from qwq_gguf.chat.sandbox.methods import (
    DICT_METHODS,
    LIST_METHODS,
    STRING_METHODS,
    Function,
)
from qwq_gguf.chat.sandbox.operators import BINARY, UNARY, concatenate_values, text_of
from qwq_gguf.chat.sandbox.rewrite import STEPS, GenerationTag, check_tree, lead_through_filters

__all__ = ["BoundedEnvironment"]


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which every operation is bounded and counted."""

    intercepted_binops = frozenset(BINARY)
    intercepted_unops = frozenset(UNARY)
    concat = staticmethod(lambda parts: concatenate_values(list(parts)))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            optimized=False,  # folding constants would run a template before it is metered
            finalize=_finalize,
            extensions=[LoopControlExtension, GenerationTag],
            cache_size=0,
        )
        self.filters = {**FILTERS, **STEPS}
        self.tests = {**TESTS, **_TESTS}
        self.globals = {
            "range": Function("range", _range),
            "dict": Function("dict", dict),
            "namespace": Function("namespace", Namespace),
            "cycler": Function("cycler", Cycler),
            "joiner": Function("joiner", Joiner),
        }

    def code_for(self, source: str) -> Any:
        """Compile a template; the code is for `Template.from_code` of this environment.

        Raises TemplateSyntaxError, and whatever Python's compiler makes of a hostile tree.
        """
        tree: nodes.Template = self.parse(source)
        check_tree(tree)
        return self.compile(lead_through_filters(tree))

    # What compiled templates call. A value's own attributes are out of reach but for a
    # few types of Jinja's, whose public ones are harmless.

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: our methods, then items."""
        meter().step()
        method = _method(obj, attribute)
        if method is not None:
            return method
        if isinstance(obj, (Undefined, LoopContext, Macro, Namespace, Cycler)):
            return super().getattr(obj, attribute)
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if hasattr(obj, attribute):
            return self.unsafe_undefined(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: items, then our methods."""
        meter().step()
        if isinstance(obj, str) and isinstance(argument, int):
            try:
                return marked.cut(obj, argument)
            except IndexError:
                return self.undefined("there is no such character", obj=obj)
        if isinstance(obj, (list, tuple, dict, range, Undefined)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        if isinstance(argument, str):
            return self.getattr(obj, str.__str__(argument))
        return self.undefined(obj=obj, name=argument)

    def call(
        __self,
        __context: Context,
        __obj: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """`obj(*args, **kwargs)`."""
        current = meter()
        current.step()
        if not _callable(__obj):
            raise SecurityError(f"a {type(__obj).__name__} cannot be called")
        # A macro gathers them in a tuple and a dict without asking.
        current.value([*args, *kwargs.values()])
        with current.call():
            return current.value(__context.call(__obj, *args, **kwargs))

    def call_filter(
        self,
        name: str,
        value: Any,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        context: Context | None = None,
        eval_ctx: Any = None,
    ) -> Any:
        """`value | name`, where `map` and its like have the name from a value."""
        if ":" in name:
            raise TemplateRuntimeError(f"No filter named {name!r}.")
        return super().call_filter(name, value, args, kwargs, context, eval_ctx)

    def call_original(
        self, name: str, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any
    ) -> Any:
        """Run Jinja's own filter."""
        return super().call_filter(original_name(name), value, args, kwargs, context)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`left operator right`."""
        meter().step()
        for operand in (left, right):
            if isinstance(operand, int):
                small_int(operand.bit_length())
        return meter().value(BINARY[operator](left, right))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """`operator arg`."""
        meter().step()
        return UNARY[operator](arg)


def _method(obj: object, name: str) -> Function | None:
    table: Mapping[str, Callable[..., Any]]
    if isinstance(obj, str):
        table = STRING_METHODS
    elif isinstance(obj, dict):
        table = DICT_METHODS
    elif isinstance(obj, (list, tuple)):
        table = LIST_METHODS
    else:
        return None
    method = table.get(name)
    return None if method is None else Function(name, method, obj)


def _callable(obj: object) -> bool:
    if isinstance(obj, MethodType):
        return isinstance(obj.__self__, (LoopContext, Cycler))
    return isinstance(obj, (Function, Macro, LoopContext, Joiner, Undefined))


@pass_context
def _finalize(_context: Context, value: Any) -> str:
    text = text_of(value)
    meter().afford(len(text))
    return text


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    for bound in bounds:
        small_int(bound.bit_length())
    meter().afford_items(len(numbers))
    return numbers


def _numeric(test: Callable[..., Any]) -> Callable[..., Any]:
    # Jinja's own tests use %, which formats when the value is a text.
    def run(value: Any, *args: Any) -> Any:
        if not all(isinstance(part, (int, float)) for part in (value, *args)):
            raise TemplateRuntimeError("the test is for numbers")
        return test(value, *args)

    return run


_JINJA_TESTS: Mapping[str, Any] = TESTS
_TESTS: Mapping[str, Callable[..., Any]] = {
    "odd": _numeric(_JINJA_TESTS["odd"]),
    "even": _numeric(_JINJA_TESTS["even"]),
    "divisibleby": _numeric(_JINJA_TESTS["divisibleby"]),
    "lower": lambda value: text_of(value).islower(),
    "upper": lambda value: text_of(value).isupper(),
}
