"""The documentation in a real browser: nothing from elsewhere, and it can send a request."""

import os
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.acceptance.serving import serving
from tests.api.client import Office
from tests.database import Database

LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
CHROMEDRIVER = "/usr/bin/chromedriver"
OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1200",
)


@pytest.fixture(scope="module")
def server(django_db_setup: None, database_url: Callable[[str], str]) -> Iterator[str]:
    with serving(database_url("claimdrift_web")) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield chrome
    chrome.quit()


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser's console complains about: blocked by CSP, not found, script errors."""
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


def addresses(browser: webdriver.Chrome) -> list[str]:
    """What was loaded."""
    found: list[str] = browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    return found


def test_swagger_ui_authorizes_and_sends_a_request(
    server: str, browser: webdriver.Chrome, owner: Database, worker: Database
) -> None:
    office = Office(owner, worker)
    token = office.token(office.join())
    wait = WebDriverWait(browser, 30)

    def find(css: str) -> webdriver.remote.webelement.WebElement:
        return wait.until(lambda b: b.find_element(By.CSS_SELECTOR, css))

    browser.get(f"{server}/api/v1/docs")
    find(".auth-wrapper .authorize").click()
    find(".auth-container input").send_keys(token)
    find(".auth-container .authorize").click()
    find(".auth-container .btn-done").click()
    find("#operations-auth-auth_me .opblock-summary-control").click()
    find("#operations-auth-auth_me .execute").click()
    answer = find("#operations-auth-auth_me .live-responses-table tbody td.response-col_status")
    body = find("#operations-auth-auth_me .live-responses-table tbody td.response-col_description")

    assert answer.text.startswith("200")
    assert office.slug in body.text
    assert complaints(browser) == []
    assert all(address.startswith(server) for address in addresses(browser))


def test_redoc_renders(server: str, browser: webdriver.Chrome) -> None:
    browser.get(f"{server}/api/v1/redoc")
    WebDriverWait(browser, 30).until(
        lambda b: "Acknowledge an alert" in b.find_element(By.TAG_NAME, "body").text
    )

    # Its maker's logo is all that it asks for elsewhere, and the policy keeps it from asking.
    [complaint] = complaints(browser)
    assert LOGO in complaint
    assert "The action has been blocked" in complaint
    elsewhere = [a for a in addresses(browser) if not a.startswith((server, "blob:", "data:"))]
    assert set(elsewhere) <= {LOGO}
