"""An audit without a fleet: somebody's own exports, every cent explained or flagged out (`chargerig audit`)."""
