import { ethereum } from "@graphprotocol/graph-ts";
import {
  BondSlashed,
  BundleRoots,
  DatasetAnchored,
  DatasetClosed,
  FeePaid,
  FeesAdded,
} from "../generated/DatasetRegistry/DatasetRegistry";
import { Dataset } from "../generated/schema";
import { earn, payment } from "./payments";
import { day, network, record, zero } from "./record";

const contract = "DatasetRegistry";

export function handleDatasetAnchored(event: DatasetAnchored): void {
  const row = record(event, contract, "DatasetAnchored");
  row.dataset = event.params.datasetId;
  row.save();
  const shape = event.params.shape;
  const dataset = new Dataset(event.params.datasetId);
  dataset.owner = event.params.owner;
  if (event.params.previous.toHexString() != ZERO) dataset.previous = event.params.previous;
  dataset.manifestHash = event.params.manifestHash;
  dataset.manifestDigest = event.params.manifestDigest;
  dataset.objectRoot = event.params.objectRoot;
  dataset.bundlesRoot = event.params.bundlesRoot;
  dataset.objectCount = shape.objectCount;
  dataset.objectSize = shape.objectSize;
  dataset.segmentObjects = shape.segmentObjects;
  dataset.k = shape.k;
  dataset.n = shape.n;
  dataset.isEncrypted = shape.encrypted;
  dataset.anchoredAt = event.block.timestamp;
  dataset.isClosed = false;
  dataset.fees = zero;
  dataset.feesPaid = zero;
  dataset.isFraudulent = false;
  dataset.save();
  const total = network();
  total.datasets += 1;
  total.save();
  const today = day(event);
  today.datasets += 1;
  today.save();
}

const ZERO = "0x0000000000000000000000000000000000000000000000000000000000000000";

export function handleBundleRoots(event: BundleRoots): void {
  const row = record(event, contract, "BundleRoots");
  row.dataset = event.params.datasetId;
  row.save();
}

export function handleDatasetClosed(event: DatasetClosed): void {
  const row = record(event, contract, "DatasetClosed");
  row.dataset = event.params.datasetId;
  row.save();
  const dataset = Dataset.load(event.params.datasetId)!;
  dataset.isClosed = true;
  dataset.save();
}

export function handleFeesAdded(event: FeesAdded): void {
  const row = record(event, contract, "FeesAdded");
  row.dataset = event.params.datasetId;
  row.save();
  const dataset = Dataset.load(event.params.datasetId)!;
  dataset.fees = dataset.fees.plus(event.params.amount);
  dataset.paidUntilEpoch = event.params.endEpoch;
  dataset.save();
}

export function handleFeePaid(event: FeePaid): void {
  const row = record(event, contract, "FeePaid");
  row.dataset = event.params.datasetId;
  row.operator = event.params.operator;
  row.save();
  const dataset = Dataset.load(event.params.datasetId)!;
  dataset.feesPaid = dataset.feesPaid.plus(event.params.amount);
  dataset.save();
  const paid = payment(event, "StorageFee", event.params.operator, event.params.amount);
  paid.dataset = event.params.datasetId;
  paid.save();
  earn(event, event.params.operator, event.params.amount);
}

export function handleBondSlashed(event: BondSlashed): void {
  const row = record(event, contract, "BondSlashed");
  row.dataset = event.params.datasetId;
  row.save();
  const total = network();
  total.burnt = total.burnt.plus(event.params.burnt);
  total.save();
}

export function handleCreditWithdrawn(event: ethereum.Event): void {
  record(event, contract, "CreditWithdrawn").save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handleParametersSet(event: ethereum.Event): void {
  record(event, contract, "ParametersSet").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
