"""docs/traits.md says of every trait what the code does."""

from docs.traits import DIFFERENCES, PAGE, written
from edge.contract.traits import TRAIT_SETS, UNIT_TERMS, VOCABULARY


def test_the_table_is_the_vocabularys():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python -m docs.traits"


def test_a_difference_is_told_for_every_trait_that_plantcv_has():
    assert set(DIFFERENCES) == {name for name, trait in VOCABULARY.items() if trait.plantcv}


def test_every_trait_can_be_asked_for_by_a_set_or_comes_from_days():
    over_time = {"relative_growth_rate", "phyllochron"}
    assert {name for names in TRAIT_SETS.values() for name in names} | over_time == set(VOCABULARY)


def test_ids_have_the_form_of_their_ontology():
    terms = [trait.term for trait in VOCABULARY.values() if trait.term] + list(UNIT_TERMS.values())
    prefixes = {"TO": 7, "UO": 7, "CO_330": 7}
    for prefix, number in (term.split(":") for term in terms):
        assert len(number) == prefixes[prefix]
        assert number.isdigit()
