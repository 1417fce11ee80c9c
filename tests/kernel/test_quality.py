"""Quality as OPC UA has it, compared with an independent implementation."""

from __future__ import annotations

import re

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.quality import Quality, is_bad, is_good, is_uncertain, name_of

STATUS = st.integers(0, 2**32 - 1)
SPECIAL = {"GOOD_CLAMPED": "GoodClamped", "GOOD": "Good", "UNCERTAIN": "Uncertain", "BAD": "Bad"}


@pytest.mark.parametrize("quality", Quality)
def test_our_codes_are_those_of_the_standard(quality):
    wanted = re.sub("_", "", quality.name).lower()
    found = {name.lower(): value for name, value in vars(ua.StatusCodes).items() if isinstance(value, int)}
    aliases = {
        "uncertainnocommunicationlastusable": "uncertainnocommunicationlastusablevalue",
        "uncertainengineeringunitsexceeded": "uncertainengineeringunitsexceeded",
    }
    assert found[aliases.get(wanted, wanted)] == quality


@given(STATUS)
def test_every_status_is_exactly_one_of_three(status):
    assert [is_good(status), is_uncertain(status), is_bad(status)].count(True) == 1


@given(STATUS)
def test_severity_is_what_asyncua_says(status):
    code = ua.StatusCode(status)
    assert is_bad(status) is (code.is_bad() or status >> 30 == 3)
    assert is_good(status) is code.is_good()


@given(STATUS)
def test_every_status_has_a_name(status):
    name = name_of(status)
    assert name.startswith(("GOOD", "UNCERTAIN", "BAD"))
    assert name in Quality.__members__ or name.endswith(f"0x{status:08X}")


def test_info_bits_do_not_hide_the_name():
    assert name_of(Quality.BAD_TIMEOUT | 0x0480) == "BAD_TIMEOUT"
