"""The report as people see it: in headless Chromium, by light and by dark, wide and narrow, with nothing but the file itself."""

from __future__ import annotations

import html as escaping
import json
import re
import shutil
import socketserver
import subprocess
import threading

import pytest
from PIL import Image
from tests.unit.evaluation.report.samples import evaluation, of_verdict
from tests.unit.evaluation.report.test_hostile import HOSTILE, everywhere

from anytune.evaluation.report import html
from anytune.evaluation.values import Verdict

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt-get install chromium)"),
]

LIGHT, DARK = 1, 0

LOOK = """
const seen = document.getElementById("page").contentDocument, view = seen.defaultView, dim = [];
const luminance = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
const numbers = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
const under = element => { for (let at = element; at; at = at.parentElement) { const colour = numbers(view.getComputedStyle(at).backgroundColor);
  if (colour.length === 3 || colour[3] === 1) return colour; } return [255, 255, 255]; };
for (const element of seen.body.querySelectorAll("*")) {
  if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) || !element.getClientRects().length) continue;
  const style = view.getComputedStyle(element), drawn = element.namespaceURI.endsWith("svg");
  if (element.matches(".heat td, title")) continue;
  const [high, low] = [luminance(numbers(drawn ? style.fill : style.color)), luminance(under(element))].sort((a, b) => b - a);
  if ((high + 0.05) / (low + 0.05) < 4.5) dim.push(element.tagName + " " + element.textContent.trim().slice(0, 40));
}
document.body.textContent = JSON.stringify({ text: seen.body.innerText, dim,
  wider: seen.documentElement.scrollWidth - seen.documentElement.clientWidth,
  charts: [...seen.querySelectorAll("svg")].map(chart => Math.round(chart.getBoundingClientRect().height)) });
"""


class Proxy(socketserver.ThreadingTCPServer):
    """Where everything that the browser wants from the network ends: it is written down, and refused."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.wanted = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def port(self):
        return self.server_address[1]


class Handler(socketserver.StreamRequestHandler):
    """Read the first line of a request, and say no."""

    def handle(self):
        self.server.wanted.append(self.rfile.readline().decode("latin-1").strip())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy():
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


class Browser:
    """One headless browser a call, with a profile of its own."""

    def __init__(self, folder, proxy):
        self.folder, self.proxy = folder, proxy
        self.console = []

    def __call__(self, text, *arguments, scheme=LIGHT, width=1240, height=1800):
        page = self.folder / "page.html"
        page.write_text(text, encoding="utf-8")
        shown = subprocess.run(
            [
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
                f"--user-data-dir={self.folder / 'profile'}", f"--proxy-server=127.0.0.1:{self.proxy.port}", "--proxy-bypass-list=<-loopback>",
                f"--blink-settings=preferredColorScheme={scheme}", f"--window-size={width},{height}", "--enable-logging=stderr", *arguments,
                page.as_uri(),
            ],
            cwd=self.folder, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        self.console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
        return shown.stdout

    def dom(self, text):
        return self(text, "--dump-dom")

    def looked(self, text, **how):
        """Show a page inside another one, which looks at it with scripts that the page itself forbids."""
        width = how.get("width", 1240)
        frame = f'<iframe id="page" style="width:{width - 40}px;height:1600px" srcdoc="{escaping.escape(text)}"></iframe>'
        around = f"<!doctype html><body>{frame}<script>onload = () => {{{LOOK}}}</script>"
        dom = self(around, "--dump-dom", "--virtual-time-budget=3000", **how)
        return json.loads(escaping.unescape(re.search(r"<body>(.*)</body>", dom, re.DOTALL)[1]))

    def picture(self, text, **how):
        self(text, f"--screenshot={self.folder / 'shot.png'}", **how)
        with Image.open(self.folder / "shot.png") as shot:
            return shot.convert("RGB")


@pytest.fixture
def browser(tmp_path, proxy):
    return Browser(tmp_path, proxy)


def from_outside(proxy):
    return [line for line in proxy.wanted if "example" in line or "127.0.0.1" in line]


def test_a_report_is_shown_without_a_word_on_the_console_and_without_the_network(browser, proxy):
    dom = browser.dom(html(evaluation()))
    assert "Yes: tuned is better than few_shot." in dom
    assert browser.console == []
    assert from_outside(proxy) == []


def test_such_a_check_would_see_a_page_that_loads_and_one_that_complains(browser, proxy):
    policy = '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
    browser.dom(f'<!doctype html>{policy}<img src="http://outside.example/x.png"><script>1</script>')
    assert [line for line in from_outside(proxy) if "outside.example/x.png" in line]
    assert browser.console


def test_hostile_answers_load_nothing_run_nothing_and_are_shown_as_they_are(browser, proxy):
    seen = browser.looked(html(everywhere("".join(HOSTILE))))
    assert from_outside(proxy) == []
    assert browser.console == []
    assert "<script>alert(1)</script>" in seen["text"]
    assert "turned [U+202E]right to left" in seen["text"]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_word_stands_out_from_what_is_under_it(browser, scheme):
    seen = browser.looked(html(evaluation()), scheme=scheme)
    assert seen["dim"] == []  # WCAG 2, level AA: 4.5 to 1
    assert all(height > 100 for height in seen["charts"])
    assert len(seen["charts"]) == 3


def test_such_a_look_would_see_faint_words_and_a_page_that_is_too_wide(browser):
    faint = html(evaluation()).replace("--soft: #5a6370", "--soft: #aab3c0").replace("h1 {", "h1 { width: 3000px;")
    seen = browser.looked(faint)
    assert any("held-out rows" in words for words in seen["dim"])
    assert seen["wider"] > 1000


@pytest.mark.parametrize("width", [1240, 560], ids=["desk", "phone"])
def test_the_page_is_never_wider_than_its_window(browser, width):
    seen = browser.looked(html(evaluation()), width=width)
    assert seen["wider"] == 0
    for words in ("Yes: tuned is better than few_shot.", "Noise floor.", "What this cannot tell you", "Drift check", "1,000 requests"):
        assert words in seen["text"]


@pytest.mark.parametrize("verdict", [Verdict.IMPROVED, Verdict.DEGRADED, Verdict.INCONCLUSIVE])
def test_the_verdict_has_its_colour_on_the_first_screen_which_is_not_blank(browser, verdict):
    colour = {Verdict.IMPROVED: (11, 110, 59), Verdict.DEGRADED: (168, 32, 26), Verdict.INCONCLUSIVE: (122, 79, 0)}[verdict]
    shot = browser.picture(html(of_verdict(verdict)), height=900)
    counts = {shade: count for count, shade in shot.getcolors(1 << 22)}
    assert counts.get(colour, 0) > 4_000  # the bar over the verdict
    assert len(counts) > 200
    assert max(counts.values()) < 0.9 * shot.width * shot.height


def test_on_paper_everything_is_open(browser, tmp_path):
    browser(html(evaluation()), f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer")
    whole = (tmp_path / "report.pdf").stat().st_size
    without = html(evaluation()).replace("details::details-content", "unknown")
    browser(without, f"--print-to-pdf={tmp_path / 'closed.pdf'}", "--no-pdf-header-footer")
    assert whole > (tmp_path / "closed.pdf").stat().st_size
