from memory.memory import LongTermMemory
from memory.versions.judgements import Judgement


def make(tenant: str = "ann", **changes: object) -> Judgement:
    fields: dict[str, object] = {
        "tenant": tenant,
        "base_model": "whet-pebble",
        "adapter_id": "ad_1",
        "promoted": False,
        "alpha": 0.025,
        "e_value": 3.5,
        "helped": 4,
        "hurt": 1,
        "before": 0.5,
        "after": 0.6,
        "train": 48,
        "seconds": 12.5,
        "record_ids": ("rec_1", "rec_2"),
        "alarms": ("saturation",),
    }
    return Judgement.model_validate(fields | changes)


def test_judgements_are_kept_in_order_by_tenant_and_base(memory: LongTermMemory) -> None:
    store = memory.judgements
    mine = [make(), make(promoted=True, e_value=1e9)]
    for each in (mine[0], make("bob"), make(base_model="other"), mine[1]):
        store.add(each)
    assert store.of("ann", "whet-pebble") == tuple(mine)
    assert len(store.of("bob", "whet-pebble")) == 1
    assert store.of("eve", "whet-pebble") == ()


def test_judgements_of_all_tenants_are_read_from_where_one_was(memory: LongTermMemory) -> None:
    store = memory.judgements
    assert store.newest() == 0
    store.add(make())
    seen = store.newest()
    for tenant in ("ann", "bob"):
        store.add(make(tenant, promoted=True))
    found = store.after(seen)
    assert [each.tenant for _, each in found] == ["ann", "bob"]
    assert found[-1][0] == store.newest()
    assert store.after(store.newest()) == []
