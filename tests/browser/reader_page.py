"""What is where on a page of the TechDocs reader."""

from __future__ import annotations

from playwright.async_api import Locator, Page


def docs(page: Page) -> Locator:
    """Return the documentation itself."""
    return page.get_by_test_id("techdocs-native-shadowroot")


def alerts(page: Page) -> Locator:
    """Return the notices above it."""
    return page.get_by_role("alert")


async def style(element: Locator, name: str) -> str:
    """Return a computed property of an element."""
    value: str = await element.evaluate("(element, name) => getComputedStyle(element).getPropertyValue(name)", name)
    return value


async def natural_width(image: Locator) -> int:
    """Return the width that an image has by itself, once it is there; fails where it cannot be shown."""
    width: int = await image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    return width
