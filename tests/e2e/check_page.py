"""report.html in Chromium: what it shows is report.json and the archive's counts, and it reacts to a reader.

check_page.py FOLDER METHODS [SCREENSHOTS]   METHODS: how many methods it should compare; 0: none
"""
import json
import os
import sys

from browse import Browser

folder, n_methods = sys.argv[1], int(sys.argv[2])
pictures = sys.argv[3] if len(sys.argv) > 3 else None
report = json.load(open(f"{folder}/report.json"))
planned = {name: t for name, t in report["targets"].items() if "layers" in t}
browser = Browser()
browser.open(f"{folder}/report.html")
run, click = browser.run, browser.click


def texts(selector):
    return run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")


def check(what, found, expected):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


browser.look(1280)
check("heading", texts("h1"), [report["model"]])

# Accuracy: fp32, each target with its variants, a sentence where a target failed.
rows = ["fp32"]
for name, t in report["targets"].items():
    if "layers" in t and "agreement" in t:
        rows += [name] + ["if it rounds " + v["name"] for v in t["variants"]]
    if "error" in t:
        rows.append(name)
        assert t["error"] in texts("#accuracy td.sentence"), t["error"]
check("networks", texts("#accuracy tbody td:first-child"), rows)
for name, t in planned.items():
    shown = texts(f'[data-target="{name}"] td')
    if t.get("top1") is not None:
        check(f"top-1 of {name}", shown[1], f'{t["top1"]:.2f}')
    if "agreement" in t:
        assert f'{t["agreement"]:.2f}' in shown, (name, shown)

if planned:
    # The first target is chosen, and the value that it loses most on.
    name = next(iter(planned))
    layers = planned[name]["layers"]
    lossy = [l for l in layers if l["threshold"] is not None and l.get("sqnr_db") is not None]
    worst = min(lossy, key=lambda l: l["sqnr_db"])["name"] if lossy else layers[0]["name"]
    check("value", texts("#value h3"), [worst])
    check("methods", len(texts("#histogram circle title")), n_methods)
    names = "#layer-table tbody td:first-child"
    check("rows", sorted(texts(names)), sorted(l["name"] for l in layers))

    # Sorting by a heading, there and back; what is not known comes last.
    for down in (False, True):
        click('#layer-table th[data-key="threshold"] button')
        known = [l["threshold"] for l in layers if l["threshold"] is not None]
        place = run("document.querySelector('[data-key=threshold]').cellIndex + 1")
        column = [float(x) for x in texts(f"#layer-table tbody td:nth-child({place})") if x != "–"]
        assert len(column) == len(known) and column == sorted(column, reverse=down), column
        check("aria-sort", run("document.querySelector('[data-key=threshold]').ariaSort"), "descending" if down else "ascending")

    # A row shows its value: counts, and the methods' thresholds.
    click("#layer-table tbody tr:first-child td")
    picked = texts(names)[0]
    check("picked value", texts("#value h3"), [picked])
    counted = run(f"data.values.find(v => v.name === {json.dumps(picked)})")
    if counted:
        assert sum(counted["positive"]) + sum(counted["negative"]) + counted["zeros"] + counted["nans"] + counted["infs"] == counted["n"]
        before = run("document.querySelector('#histogram path.area, #histogram path.second').getAttribute('d')")
        click("#log")
        assert run("document.querySelector('#histogram path.area, #histogram path.second').getAttribute('d')") != before, "linear counts look the same"
        click("#log")

    # A place in the plot chooses a value; a row of the accuracy table a target; the field above the table filters.
    if any("agreement" in t for t in planned.values()):
        click("#profile .hit")
        check("value in the middle", texts("#value h3"), [layers[round(0.5 * (len(layers) - 1))]["name"]])
        last = list(planned)[-1]
        click(f'[data-target="{last}"] td')
        check("target", run("document.querySelector('#layers select').value"), last)
    run(f"(() => {{ const f = document.querySelector('#layers input'); f.value = {json.dumps(picked)}; f.dispatchEvent(new Event('input')) }})()")
    assert texts(names) and all(picked in x for x in texts(names)), texts(names)
    run("(() => { const f = document.querySelector('#layers input'); f.value = ''; f.dispatchEvent(new Event('input')) })()")

# At every width the page stays within it; dark is dark; paper has no controls.
for width in (1280, 400):
    for scheme in ("light", "dark"):
        browser.look(width, scheme=scheme)
        check(f"width of the page at {width}", run("document.documentElement.scrollWidth"), width)
        light = sum(map(int, run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")[:3])) > 384
        check(f"light page when {scheme} is preferred", light, scheme == "light")
        if pictures:
            browser.screenshot(f"{pictures}/{width}-{scheme}.png")
browser.look(800, media="print")
check("controls on paper", run("getComputedStyle(document.querySelector('nav')).display"), "none")

console, asked = browser.said()
browser.close()
check("console", console, [])
check("requests", asked, ["file://" + os.path.abspath(f"{folder}/report.html")])
size = os.path.getsize(f"{folder}/report.html")
print(f"ok: {report['model']}: {len(planned)} targets, {size} bytes")
