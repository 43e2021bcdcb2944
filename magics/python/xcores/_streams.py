# SPDX-License-Identifier: BSD-3-Clause
"""`sys.stdout` and `sys.stderr` of the notebook and of its workers: text streams with bytes and a descriptor below.

The same file serves the kernel, which compiles it in, and the workers: see `_worker`, in front of which its source is
executed.
"""

import io
from _thread import _local


class TextStream(io.TextIOBase):
    """Text on its way to the cell: what `io.TextIOWrapper` is to a file, but for reading.

    *Thread*: any.
    """

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = False
    write_through = False
    mode = "w"

    def __init__(self, name, descriptor, send=None, flush=None):
        """`send(text)` takes what is written; `flush()` is to pass it on. `descriptor` leads to the same cell."""
        super().__init__()
        self.name = name
        self._descriptor = descriptor
        self._send = send
        self._flush = flush
        self.buffer = ByteStream(self)

    def write(self, text):
        check_text(text)
        self._send(text)
        return len(text)

    def flush(self):
        if self._flush is not None:
            self._flush()

    def close(self):
        """Nothing to close: the stream lives as long as its interpreter."""
        self.flush()

    closed = property(lambda self: False)

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        self.flush()  # what is written there next comes after this
        return self._descriptor

    def detach(self):
        """The bytes below; the text stream can still be used."""
        self.flush()
        return self.buffer

    def reconfigure(self, *, encoding=None, errors=None, newline=None, line_buffering=None, write_through=None):
        """As of `io.TextIOWrapper`. The encoding is that of bytes written to `buffer`; text needs none."""
        self.flush()
        if encoding is not None:
            self.buffer.use(encoding)
            self.encoding = encoding
        if errors is not None:
            self.errors = errors
        if line_buffering is not None:
            self.line_buffering = bool(line_buffering)
        if write_through is not None:
            self.write_through = bool(write_through)


class ByteStream(io.BufferedIOBase):
    """Bytes that become text: a character may come in several pieces, which are put together for each thread."""

    mode = "wb"

    def __init__(self, text_stream):
        super().__init__()
        self._text_stream = text_stream
        self.use(text_stream.encoding)

    def use(self, encoding):
        """From now on bytes are text in this encoding. *Failure*: LookupError."""
        from codecs import getincrementaldecoder

        self._make_decoder = getincrementaldecoder(encoding)
        self._of_thread = _local()

    def write(self, data):
        data = memoryview(data).cast("B")
        text = self._decoder().decode(data)
        if text:
            self._text_stream.write(text)
        return len(data)

    def finish(self):
        """Write what this thread has left of a character, which nobody will complete any more."""
        decoder = getattr(self._of_thread, "decoder", None)
        text = decoder.decode(b"", True) if decoder is not None else ""
        if text:
            self._text_stream.write(text)

    def _decoder(self):
        try:
            return self._of_thread.decoder
        except AttributeError:
            decoder = self._of_thread.decoder = self._make_decoder("replace")
            return decoder

    name = property(lambda self: self._text_stream.name)
    raw = property(lambda self: self)
    closed = property(lambda self: False)

    def flush(self):
        self._text_stream.flush()

    close = flush

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return self._text_stream.fileno()


def check_text(text):
    if not isinstance(text, str):
        raise TypeError(f"write() argument must be str, not {type(text).__name__}")
