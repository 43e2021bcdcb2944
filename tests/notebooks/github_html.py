# SPDX-License-Identifier: BSD-3-Clause
"""What GitHub leaves of HTML: its published allow-list, as data.

Source: github/markup's README names the sanitisation step of html-pipeline as the one GitHub applies; the lists are
those of `SanitizationFilter` in gjtorikian/html-pipeline, lib/html/pipeline/sanitization_filter.rb (versions before 3).
"""

from html.parser import HTMLParser

ELEMENTS = frozenset("""
    h1 h2 h3 h4 h5 h6 h7 h8 br b i strong em a pre code img tt div ins del sup sub p ol ul table thead tbody tfoot
    blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike summary details
""".split())

ATTRIBUTES_OF_ALL = frozenset("""
    abbr accept accept-charset accesskey action align alt axis border cellpadding cellspacing char charoff charset
    checked clear cols colspan color compact coords datetime dir disabled enctype for frame headers height hreflang
    hspace ismap label lang maxlength media method multiple name nohref noshade nowrap open prompt readonly rel rev
    rows rowspan rules scope selected shape size span start summary tabindex target title type usemap valign value
    vspace width itemprop
""".split())

ATTRIBUTES = {"a": {"href"}, "img": {"src", "longdesc"}, "div": {"itemscope", "itemtype"}, "blockquote": {"cite"},
              "del": {"cite"}, "ins": {"cite"}, "q": {"cite"}}

PARENTS = {"tr": "table", "td": "table", "th": "table", "thead": "table", "tbody": "table", "tfoot": "table", "li": "ul"}
"""Outside of these the elements are replaced by their contents."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stripped: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS or PARENTS.get(tag, tag) not in (*self.open, tag if tag not in PARENTS else None):
            self.stripped.append(f"<{tag}>")
        allowed = ATTRIBUTES_OF_ALL | ATTRIBUTES.get(tag, set())
        self.stripped += [f"<{tag} {name}>" for name, _ in attributes if name not in allowed]
        if tag == "img":
            self.stripped += [f"<img src={value[:20]}>" for name, value in attributes
                              if name == "src" and value and value.partition(":")[0] == "data"]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_comment(self, data: str) -> None:
        self.stripped.append("<!-- -->")


def stripped_by_github(html: str) -> list[str]:
    """What of this GitHub would take away."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.stripped
