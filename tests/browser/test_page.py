"""The page of a run, as a person opens it: what it draws is what Python does."""

import functools
import http.server
import threading
from urllib.parse import quote

import jax
import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.config import Config
from flaxgan.data.forms import source_channels
from flaxgan.formats.webpage import OPERATORS, write_page
from flaxgan.main import main
from flaxgan.methods import method_of
from flaxgan.methods.sampling import draw, latents
from flaxgan.methods.translation import translate
from flaxgan.pretrained import minilm
from tests.conftest import TINY

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "ורד", "x" * 10_000]
READ = """canvas =>
    [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory, pictures):
    """A conditional run of two classes, whose folder has a hostile name."""
    run_dir = tmp_path_factory.mktemp("page") / "<b onclick=alert(3)>&amp;"
    flags = ["--dataset", pictures, "--run-dir", run_dir, "--epochs", 1, "--conditional", *TINY]
    main([*map(str, flags)])
    return run_dir


@pytest.fixture(scope="session")
def model(run_dir):
    return flaxgan.load(run_dir)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Serve a folder, as python -m http.server does -> its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    servers = []

    def serve(folder):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(model, served, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    model.page(folder)
    return served(folder)


def opened(page, url):
    page.goto("about:blank")
    page.goto(url)
    drawn(page)


def drawn(page):
    """Wait until all is drawn."""
    page.wait_for_selector("main:not([hidden])")
    page.wait_for_selector("html:not([data-busy])")


def until(page, condition):
    """Wait for JavaScript to be true: the page's policy forbids Playwright's own way."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def pixels(page, selector="#picture"):
    """uint8 (N, H, W, 3) of the canvases of a selector."""
    canvases = page.query_selector_all(selector)
    sizes = [canvas.evaluate("canvas => [canvas.height, canvas.width]") for canvas in canvases]
    return np.stack(
        [
            np.array(canvas.evaluate(READ), np.uint8).reshape(*size, 4)[..., :3]
            for canvas, size in zip(canvases, sizes, strict=True)
        ]
    )


def assert_near(a, b):
    """Pictures are the same to one grey level, and most of their pixels to none."""
    assert a.shape == b.shape
    difference = np.abs(a.astype(int) - b)
    assert difference.max() <= 1 and difference.mean() < 0.1


def test_the_pictures_of_four_seeds_are_pythons(page, address, model):
    for seed in (0, 1, 7, 2**32 - 1):
        opened(page, f"{address}#seed={seed}")
        assert_near(pixels(page, "#grid canvas"), model.sample(16, seed=seed))


def test_classes_and_truncation_are_pythons(page, address, model):
    opened(page, f"{address}#seed=3")
    page.select_option("#class", label="squares")
    page.locator("#truncation").fill("0.5")
    drawn(page)
    wanted = model.sample(16, seed=3, labels="squares", truncation=0.5)
    assert_near(pixels(page, "#grid canvas"), wanted)
    assert page.text_content("#caption") == "squares: picture 0 of seed 3"


def test_between_two_pictures(page, address, model):
    opened(page, f"{address}#seed=1&label=0&to={quote('seed=2&label=0')}")
    page.locator("#mix").fill("0.5")
    drawn(page)
    between = model.sample(interpolate=[1, 2], frames=2, labels=0)
    assert_near(pixels(page)[0], between[1])
    assert_near(pixels(page, "#from, #to"), between[[0, 2]])
    page.click("#goal")
    page.click("#grid li:nth-child(4) .tile")
    page.locator("#mix").fill("1")
    drawn(page)
    assert_near(pixels(page)[0], model.sample(1, seed=1, labels=0)[0])


def test_sliders_change_the_picture_and_a_link_restores_it(page, address):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    opened(page, f"{address}#seed=5")
    before = pixels(page)
    page.focus("#slider-0")
    page.keyboard.press("End")  # as a person without a mouse does
    page.locator("#slider-7").fill("-2.5")
    until(page, "location.hash.includes('sliders=4,0,0,0,0,0,0,-2.5')")
    drawn(page)
    changed = pixels(page)
    assert np.abs(changed.astype(int) - before).max() > 10
    link = page.url
    opened(page, link)
    assert (pixels(page) == changed).all() and page.input_value("#slider-7") == "-2.5"
    page.click("#reset")
    drawn(page)
    assert (pixels(page) == before).all()
    until(page, "!location.hash.includes('sliders')")
    page.evaluate(f"location.hash = {link.partition('#')[2]!r}")  # as by hand
    until(page, "document.getElementById('slider-7').value === '-2.5'")
    assert {url for url in requests if not url.startswith((address, "blob:", "data:"))} == set()


@pytest.mark.parametrize("nonsense", ["#seed=-1", "#seed=x&label=99&sliders=a,1e99", "#to=%", "#"])
def test_a_link_that_makes_no_sense_is_the_first_picture(page, address, model, nonsense):
    opened(page, address + nonsense)
    assert_near(pixels(page), model.sample(1))


def test_pictures_are_kept_and_shown_again(page, address):
    opened(page, f"{address}#seed=5")
    assert page.is_hidden("#kept")
    page.click("#grid li:nth-child(3) .act")
    page.click("#another")
    drawn(page)
    page.click("#keep")
    drawn(page)
    kept = pixels(page, "#kept canvas")
    assert len(kept) == 2 and (kept[1] == pixels(page)[0]).all()
    page.click("#kept li:first-child .tile")
    drawn(page)
    assert (pixels(page)[0] == kept[0]).all() and "seed=5&picture=2" in page.evaluate(
        "new Promise(done => setTimeout(() => done(location.hash), 300))"
    )
    for _ in kept:
        page.click("#kept .act")
    assert page.is_hidden("#kept")


def test_a_picture_is_downloaded(page, address, tmp_path):
    opened(page, address)
    for scale in (1, 4):
        page.select_option("#scale", str(scale))
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as picture:
            saved = np.asarray(picture.convert("RGB"))
        assert saved.shape == (16 * scale, 16 * scale, 3)
        if scale == 1:
            assert (saved == pixels(page)[0]).all()


def test_hostile_names_are_shown_as_text(page, served, model, run_dir, tmp_path):
    facts = {"title": HOSTILE[0], "facts": HOSTILE[1], "classNames": HOSTILE[:2]}
    for number, names in enumerate((HOSTILE[:2], HOSTILE[2:])):
        site = tmp_path / str(number)
        facts = {"title": names[0], "facts": "", "classNames": names, "classCounts": [1, 1]}
        write_page(site, model.generators["result"], model.config, "result", facts)
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        opened(page, served(site) + "#label=1")
        assert page.text_content("h1") == page.title() == names[0]
        options = page.eval_on_selector_all("#class option", "all => all.map(x => x.textContent)")
        assert options[1:] == [name if len(name) < 60 else name[:59] + "…" for name in names]
        assert page.text_content("#caption").startswith(options[2])
        assert page.query_selector("script:not([src]), img, [onerror], [onclick]") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    model.page(tmp_path / "of the run")
    opened(page, served(tmp_path / "of the run"))
    assert page.text_content("h1") == run_dir.name


def test_on_a_phone_and_from_a_disk(page, model, tmp_path):
    page.set_viewport_size({"width": 390, "height": 844})
    model.page(tmp_path / "site", title="Discs")
    opened(page, (tmp_path / "site" / "index.html").as_uri())
    assert_near(pixels(page, "#grid canvas"), model.sample(16))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    unnamed = """[...document.querySelectorAll("#grow button, #grow input, #grow select")].filter(
        x => !x.textContent.trim() && !x.ariaLabel && !x.labels?.length).length"""
    assert page.evaluate(unnamed) == 0


def test_without_the_network_a_page_says_so(chromium, model, tmp_path):
    model.page(tmp_path / "site")
    (tmp_path / "site" / "model.js").unlink()
    page = chromium.new_page()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    until(page, "document.getElementById('status').textContent.includes('model.js')")
    page.close()


def test_products_without_simd_are_those_with_it(page, address):
    opened(page, address)
    of_both = """() => {
        const make = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
        const [m, k, n] = [7, 1500, 90], A = make(m * k), B = make(k * n);
        const product = () => {
            const matrices = products(), C = new Float32Array(m * n);
            matrices.multiply(matrices.keep(A, m, k), n,
                convolutions(matrices).filler(B, k, 0, n, 1),
                (c, at, stride, first, count) => {
                    for (let i = 0; i < m; i++) for (let j = 0; j < count; j++)
                        C[i * n + first + j] = c[at + i * stride + j];
                });
            return [matrices.simd, ...C];
        };
        const fast = product();
        WebAssembly.validate = () => false;
        return [fast, product(), [...A], [...B]];
    }"""
    (simd, *fast), (plain, *slow), a, b = page.evaluate(of_both)
    wanted = np.array(a).reshape(7, 1500) @ np.array(b).reshape(1500, 90)
    assert simd and not plain
    for product in (fast, slow):
        np.testing.assert_allclose(np.reshape(product, (7, 90)), wanted, atol=1e-3)


def test_the_page_has_the_operators_that_python_knows(page, address):
    opened(page, address)
    names = page.evaluate(
        "(() => { const p = products(); return Object.keys(runner(p, convolutions(p)).OPS) })()"
    )
    assert {*names} == OPERATORS


KINDS = {
    "dcgan, classes, attention": {"num_classes": 3, "attention": 8},
    "dcgan, grey, not square": {"channels": 1, "image_size": (16, 40)},
    "dense, classes, attention": {"architecture": "dense", "num_classes": 3, "attention": 8},
    "resnet, classes": {"architecture": "resnet", "num_classes": 3},
    "style, classes": {"architecture": "style", "num_classes": 3},
    "pix2pix": {"method": "pix2pix", "source": "edges"},
    "pix2pix, resnet": {"method": "pix2pix", "source": "grey", "generator": "resnet", "blocks": 1},
    "cut": {"method": "cut", "target": "x", "antialias": True, "blocks": 1},
    "srgan": {"method": "srgan", "scale": 2, "blocks": 1},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_every_network_computes_in_a_browser_what_it_does_in_python(page, served, tmp_path, kind):
    made = {"image_size": 16, "channels": 3, "features": 4, "ema": 0} | KINDS[kind]
    config = Config.make(**made)
    generators = method_of(config).generators(method_of(config).create_state(config), {})
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda x: x + rng.uniform(-0.2, 0.2, x.shape).astype("f"), generators["result"].params
    )
    network = generators["result"].replace(params=params)
    facts = {"title": kind, "facts": ""}
    if config.num_classes:
        facts |= {"classNames": ["a", "b", "c"], "classCounts": [1, 1, 1]}
    write_page(tmp_path / "site", network, config, "result", facts)
    url = served(tmp_path / "site")
    if config.method == "gan":
        opened(page, f"{url}#seed=2{'&label=1' if config.num_classes else ''}")
        labels = np.full(16, 1, np.int32) if config.num_classes else None
        z = np.asarray(latents(2, 0, 16, config.options.latent_dim))
        wanted, shown = draw(network, z, labels), pixels(page, "#grid canvas")
    else:
        opened(page, url)
        side = 16 // getattr(config.options, "scale", 1)
        source = rng.integers(256, size=(side, side, 3), dtype=np.uint8)
        Image.fromarray(source).save(tmp_path / "source.png")
        page.set_input_files("#file", tmp_path / "source.png")
        page.wait_for_selector("#save:enabled")
        taken = np.asarray(Image.fromarray(source).convert("L"))[..., None]
        grey = source_channels(config) == 1
        wanted = translate(network, (taken if grey else source)[None])
        shown = pixels(page, "#result")
    assert wanted.std() > 10, "a picture"
    assert_near(shown, np.broadcast_to(wanted, shown.shape))


def test_words_are_chosen_from_prompts_and_mixed(page, served, pictures, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, minilm.DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = ['a "red" disc <b>', "🌸 ורד"]

    def encode(asked):
        return np.stack([vectors[texts.index(x) if x in texts else 0] for x in asked])

    monkeypatch.setattr(minilm, "encode", encode)
    monkeypatch.setattr(minilm, "cached", encode)
    monkeypatch.setattr(minilm, "warn_of_unread", lambda text: None)
    flags = ["--condition", "text", "--caption", "a {class}", "--max-steps", 2, *TINY]
    main([*map(str, ["--dataset", pictures, "--run-dir", tmp_path / "run", *flags])])
    model = flaxgan.load(tmp_path / "run")
    model.page(tmp_path / "site", prompts=texts)
    opened(page, served(tmp_path / "site") + "#seed=3&label=1")
    assert page.inner_text("#class-name") == "Words"
    assert page.inner_text("#caption").startswith(texts[1])
    assert_near(pixels(page)[0], model.sample(1, 3, prompt=texts[1])[0])
    opened(page, page.url.split("#")[0] + "#seed=3&label=0&to=seed%3D3%26label%3D1&mix=0.5")
    between = model.sample(prompt=texts, interpolate=[3], frames=2)[1]
    assert_near(pixels(page)[0], between)
