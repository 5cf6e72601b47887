import { Bytes, ethereum } from "@graphprotocol/graph-ts";
import {
  BundlePlaced,
  BundleReleased,
  BundleSurrendered,
  BundleVacated,
  CoverRegistered,
  DutyExtended,
  RepairPaid,
  StandbysSet,
} from "../generated/BundleRegistry/BundleRegistry";
import { Bundle, Cover } from "../generated/schema";
import { earn, payment } from "./payments";
import { network, operator, record } from "./record";

const contract = "BundleRegistry";

export function handleBundlePlaced(event: BundlePlaced): void {
  const row = record(event, contract, "BundlePlaced");
  row.bundle = event.params.bundleId;
  row.dataset = event.params.datasetId;
  row.operator = event.params.operator;
  row.save();
  operator(event.params.operator);
  let bundle = Bundle.load(event.params.bundleId);
  if (bundle == null) {
    bundle = new Bundle(event.params.bundleId);
    bundle.repairs = 0;
    bundle.auditsAnswered = 0;
    bundle.auditsMissed = 0;
    const total = network();
    total.bundles += 1;
    total.save();
  }
  bundle.dataset = event.params.datasetId;
  bundle.index = event.params.bundleIndex.toI32();
  bundle.operator = event.params.operator;
  bundle.isPlaced = true;
  bundle.placedAt = event.block.timestamp;
  if (event.params.repair) bundle.repairs += 1;
  bundle.save();
}

function vacate(id: Bytes): void {
  const bundle = Bundle.load(id)!;
  bundle.operator = null;
  bundle.isPlaced = false;
  bundle.save();
}

export function handleDutyExtended(event: DutyExtended): void {
  const row = record(event, contract, "DutyExtended");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
}

export function handleStandbysSet(event: StandbysSet): void {
  const row = record(event, contract, "StandbysSet");
  row.dataset = event.params.datasetId;
  row.save();
}

export function handleBundleReleased(event: BundleReleased): void {
  const row = record(event, contract, "BundleReleased");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
  vacate(event.params.bundleId);
}

export function handleBundleSurrendered(event: BundleSurrendered): void {
  const row = record(event, contract, "BundleSurrendered");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
  vacate(event.params.bundleId);
}

export function handleBundleVacated(event: BundleVacated): void {
  const row = record(event, contract, "BundleVacated");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
  vacate(event.params.bundleId);
}

export function handleCoverRegistered(event: CoverRegistered): void {
  const row = record(event, contract, "CoverRegistered");
  row.operator = event.params.operator;
  row.save();
  const cover = new Cover(event.params.coverId);
  cover.operator = event.params.operator;
  cover.root = event.params.root;
  cover.bundles = event.params.bundleIds;
  cover.timestamp = event.block.timestamp;
  cover.save();
}

export function handleRepairPaid(event: RepairPaid): void {
  const row = record(event, contract, "RepairPaid");
  row.bundle = event.params.bundleId;
  row.operator = event.params.operator;
  row.save();
  const paid = payment(event, "RepairBounty", event.params.operator, event.params.amount);
  paid.bundle = event.params.bundleId;
  paid.save();
  earn(event, event.params.operator, event.params.amount);
}

export function handleBountyWithdrawn(event: ethereum.Event): void {
  record(event, contract, "BountyWithdrawn").save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}

export function handleEIP712DomainChanged(event: ethereum.Event): void {
  record(event, contract, "EIP712DomainChanged").save();
}
