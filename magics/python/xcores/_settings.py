# SPDX-License-Identifier: BSD-3-Clause
"""What holds for the notebook as a whole, taken over in a worker: folder, environment, warning filters and the like.

Part of the worker: see `_worker`, in front of which its source is executed. `xcores.settings` is the other half.

What code may change at any time and expects to find at its start (folder, environment, decimal context) is the
notebook's at the beginning of each cell. All else is taken over when the notebook has changed it: modules set such
things when they are imported, and a warm worker does not import them again.
"""

import builtins
import sys

if __name__ == "xcores._settings":
    from xcores._transfer import MAIN

_entered = {}
"""By the name of the setting: what the notebook sent last."""


def enter(plan, kind, afresh):
    """`afresh`: for a cell. The jobs of an executor find what those before them, or its initializer, have left."""
    sys.path[:] = plan["path"]
    settings = plan["settings"]
    sys.argv[:] = [""] if afresh else settings["arguments"]
    if kind == "procs":
        _each_time("directory", plan["directory"], _enter_directory, afresh)
    _each_time("environment", plan["environment"], lambda wanted: _enter_environment(wanted, kind), afresh)
    _each_time("zone", settings.get("zone"), _enter_zone, afresh)
    _each_time("decimal", settings.get("decimal"), enter_decimal, afresh)
    for name, take_over in _ON_CHANGE.items():
        if kind == "procs" or name not in _PROCESS_WIDE:
            _each_time(name, settings.get(name), take_over, False)
    if kind == "procs":
        _entered["tracker"] = settings.get("tracker")
        enter_tracker()


def begin_anew():
    """For another executor, which starts with what the notebook has now."""
    for name in ("directory", "environment", "zone", "decimal"):
        _entered.pop(name, None)


def _each_time(name, value, take_over, always):
    if always or _entered.get(name) != value:
        _entered[name] = value
        take_over(value)


# What is the notebook's at the beginning of each cell


def _enter_directory(directory):
    if directory is None:  # the notebook's own is gone
        return
    import posix  # not os, which a new interpreter may never need

    try:
        posix.chdir(directory)
    except OSError:
        pass  # gone meanwhile: what needs it will say so


def _enter_environment(wanted, kind):
    if kind != "procs" and "os" not in sys.modules:  # which will take what it finds there
        import posix

        posix.environ.clear()
        posix.environ.update((_encoded(name), _encoded(value)) for name, value in wanted.items())
        return
    import os

    if os.environ.copy() == wanted:
        return
    zone = os.environ.get("TZ")
    if kind == "procs":
        for name in os.environ.keys() - wanted.keys():
            del os.environ[name]
        for name, value in wanted.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        if os.environ.get("TZ") != zone:
            _tzset()
        return
    # The notebook has changed the process's own already; setting it again here could undo what it does next.
    encoded = {os.environ.encodekey(name): os.environ.encodevalue(value) for name, value in wanted.items()}
    os.environ._data.clear()
    os.environ._data.update(encoded)


def _encoded(text):
    return text.encode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def _enter_zone(zone):
    import time

    if zone is not None and zone != (time.tzname, time.timezone, time.altzone):
        _tzset()


def _tzset():
    import time

    if hasattr(time, "tzset"):
        time.tzset()


def enter_decimal(fields):
    """This thread's context; None: as it is in a new thread."""
    if fields is None and "decimal" not in sys.modules:
        return
    import decimal

    context = decimal.Context()
    if fields is not None:
        *plain, traps = fields
        for name, value in zip(("prec", "rounding", "Emin", "Emax", "capitals", "clamp"), plain):
            setattr(context, name, value)
        for signal in context.traps:
            context.traps[signal] = signal.__name__ in traps
    decimal.setcontext(context)


# What is taken over when it has changed


def _enter_recursion_limit(limit):
    try:
        sys.setrecursionlimit(limit)
    except RecursionError:
        pass  # too low for where we are


def _enter_locale(text):
    import _locale

    try:
        if text is not None and text != _locale.setlocale(_locale.LC_ALL, None):
            _locale.setlocale(_locale.LC_ALL, text)
    except _locale.Error:
        pass


class _Pattern:
    """Stands for a regular expression, which is compiled when a warning asks for it: few do, and `re` takes long."""

    def __init__(self, text, flags):
        self.text = text
        self.flags = flags

    def match(self, text):
        import re

        self.match = re.compile(self.text, self.flags).match
        return self.match(text)


class _Named(type):
    """The type of what stands for a warning category whose module is not loaded here, or which each cell makes anew."""

    def __subclasscheck__(cls, other):
        return any((base.__module__, base.__qualname__) == cls.stands_for for base in other.__mro__)


def _category(module, name):
    found = builtins if module == "builtins" else None if module == MAIN else sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else _Named(name, (Warning,), {"stands_for": (module, name)})


def _filter(action, message, category, module, line):
    message, module = (_Pattern(*part) if isinstance(part, tuple) else part for part in (message, module))
    return action, message, _category(*category), module, line


def _enter_filters(sent):
    """Those of the notebook before those that this worker has itself."""
    if sent is None:
        return
    from _warnings import filters

    made = [_filter(*fields) for fields in sent]
    earlier = {id(one) for one in _filters_before}
    own = [one for one in filters if id(one) not in earlier and one not in made]
    _filters_before[:] = made
    is_same = filters == made + own
    filters[:] = made + own
    if is_same and "warnings" not in sys.modules:  # nothing has been shown
        return
    import warnings

    with warnings.catch_warnings():
        pass  # by which warnings that were remembered as shown are forgotten


def let_go_of_filters():
    """The interpreter is about to end, which lets go of them only after its last garbage collection: a class among them
    would leave everything that it refers to behind, this module for one. To do without any would show more warnings."""
    import _warnings

    _warnings.filters[:] = [one for one in _warnings.filters
                            if one[1] is None and one[3] is None and one[2].__module__ == "builtins"]
    _filters_before.clear()


def _filters_at_start():
    import _warnings

    return list(_warnings.filters)


_filters_before = _filters_at_start()


def _enter_logging(sent):
    if sent is not None:
        when_imported("logging", _take_over_logging)


def _take_over_logging(logging):
    levels, disabled, handlers = _entered["logging"]
    for name, level in levels:
        logging.getLogger(name).setLevel(level)
    for name in _levels_before.difference(name for name, _ in levels):
        logging.getLogger(name).setLevel(logging.WARNING if name is None else logging.NOTSET)
    _levels_before.clear()
    _levels_before.update(name for name, _ in levels)
    logging.disable(disabled)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if getattr(one, "_of_notebook", False)]:
        root.removeHandler(handler)
    if root.handlers:  # the cell has set up its own
        return
    for stream, level, form in handlers:
        handler = logging.StreamHandler(sys.stdout if stream == 1 else sys.stderr)
        handler._of_notebook = True
        handler.setLevel(level)
        if form is not None:
            handler.setFormatter(logging.Formatter(*form))
        root.addHandler(handler)


_levels_before = set()
"""The names of the loggers, None for the root, whose level is the notebook's."""


# What multiprocessing hands to its children


def _enter_authkey(key):
    if key is not None:
        when_imported("multiprocessing.process", lambda process: setattr(process.current_process(), "authkey", key))


def _enter_start_method(method):
    if method is not None:
        when_imported("multiprocessing.context", lambda context: context._default_context.set_start_method(method, True))


def enter_tracker():
    """Register resources with the notebook's tracker: one of our own would destroy what this process has merely opened.
    To be called again in a forked process, which does not inherit the descriptor."""
    if _entered.get("tracker") is not None:
        when_imported("multiprocessing.resource_tracker", _connect_to_tracker)


def _connect_to_tracker(module):
    import os

    global _tracker_fd
    process, descriptor, _ = _entered["tracker"]
    tracker = module._resource_tracker
    if tracker._fd is not None and (tracker._fd, _entered["tracker"]) == _tracker_fd:
        return
    try:
        opened = os.open(f"/proc/{process}/fd/{descriptor}", os.O_WRONLY)
    except OSError:
        return  # it has ended
    if tracker._fd is not None:
        _left_open.append(tracker._fd)  # what is registered there must not be cleaned up yet
    tracker._fd, tracker._pid = opened, None
    _tracker_fd = opened, _entered["tracker"]


_tracker_fd = None
"""The descriptor of the notebook's tracker here, and which one that is."""
_left_open = []

_ON_CHANGE = {
    "recursion_limit": _enter_recursion_limit,
    "digits": sys.set_int_max_str_digits,
    "switch_interval": sys.setswitchinterval,
    "filters": _enter_filters,
    "logging": _enter_logging,
    "locale": _enter_locale,
    "authkey": _enter_authkey,
    "start_method": _enter_start_method,
}
_PROCESS_WIDE = frozenset({"locale", "authkey", "start_method"})
"""Interpreters of the notebook's process have these anyway, or cannot use them."""


# What waits for a module

_waiting = {}


def when_imported(name, action):
    """Call `action(module)`: now, or as soon as the module is imported. Importing it here would take too long."""
    if name in sys.modules:
        action(sys.modules[name])
        return
    _waiting[name] = action
    if _Arrivals not in sys.meta_path:
        sys.meta_path.insert(0, _Arrivals)


class _Arrivals:
    """A finder that finds what the others find, and does then what has been waiting for it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        action = _waiting.pop(name, None)
        if not _waiting and cls in sys.meta_path:
            sys.meta_path.remove(cls)
        if action is None:
            return None
        for finder in list(sys.meta_path):
            spec = None if finder is cls else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, action)
                return spec
        return None


class _Loader:
    """Loads as `inner` does, and calls `action` with the module that has been loaded."""

    def __init__(self, inner, action):
        self._inner = inner
        self._action = action

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._inner
        self._inner.exec_module(module)
        self._action(module)
