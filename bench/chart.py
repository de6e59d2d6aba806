"""A figure as a small PNG, by the machine's Chromium."""

import shutil
from pathlib import Path

import plotly.graph_objects as go

WIDTH, HEIGHT = 760, 420


def save(figure: go.Figure, path: Path) -> bool:
    """Writes the picture; false, and nothing written, where there is no browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return False
    from playwright.sync_api import sync_playwright

    figure.update_layout(
        template="plotly_white", width=WIDTH, height=HEIGHT, margin={"l": 60, "r": 20, "t": 50, "b": 50}
    )
    page_text = figure.to_html(include_plotlyjs=True, config={"staticPlot": True, "displayModeBar": False})
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH + 20, "height": HEIGHT + 20})
        page.set_content(page_text)
        path.parent.mkdir(exist_ok=True)
        page.locator(".plotly-graph-div").screenshot(path=str(path))
        chromium.close()
    return True
