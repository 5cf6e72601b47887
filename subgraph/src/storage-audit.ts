import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import { AuditAnswered, AuditMissed, FeesClaimed } from "../generated/StorageAudit/StorageAudit";
import { Audit, Bundle, Cover } from "../generated/schema";
import { day, eventId, network, operator, record } from "./record";

const contract = "StorageAudit";

function auditOf(event: ethereum.Event, duty: Bytes, account: Bytes, epoch: BigInt, answered: boolean): Audit {
  const audit = new Audit(eventId(event));
  audit.duty = duty;
  audit.operator = account;
  audit.epoch = epoch;
  audit.isAnswered = answered;
  audit.timestamp = event.block.timestamp;
  audit.transaction = event.transaction.hash;
  return audit;
}

function countFor(id: Bytes, answered: boolean): void {
  const bundle = Bundle.load(id);
  if (bundle == null) return;
  if (answered) bundle.auditsAnswered += 1;
  else bundle.auditsMissed += 1;
  bundle.save();
}

function count(event: ethereum.Event, account: Bytes, answered: boolean): void {
  const node = operator(account);
  const total = network();
  const today = day(event);
  if (answered) {
    node.auditsAnswered += 1;
    total.auditsAnswered += 1;
    today.auditsAnswered += 1;
  } else {
    node.auditsMissed += 1;
    total.auditsMissed += 1;
    today.auditsMissed += 1;
  }
  node.save();
  total.save();
  today.save();
}

export function handleAuditAnswered(event: AuditAnswered): void {
  const row = record(event, contract, "AuditAnswered");
  row.operator = event.params.operator;
  const audit = auditOf(event, event.params.dutyId, event.params.operator, event.params.epoch, true);
  audit.evaluation = event.params.evaluation;
  // A duty is a bundle, or a covering root that stands for many.
  const cover = Cover.load(event.params.dutyId);
  if (cover != null) {
    const covered = cover.bundles;
    for (let i = 0; i < covered.length; i++) countFor(covered[i], true);
  } else if (Bundle.load(event.params.dutyId) != null) {
    row.bundle = event.params.dutyId;
    audit.bundle = event.params.dutyId;
    countFor(event.params.dutyId, true);
  }
  row.save();
  audit.save();
  count(event, event.params.operator, true);
}

export function handleAuditMissed(event: AuditMissed): void {
  const row = record(event, contract, "AuditMissed");
  row.operator = event.params.operator;
  row.bundle = event.params.bundleId;
  row.save();
  const audit = auditOf(event, event.params.bundleId, event.params.operator, event.params.epoch, false);
  audit.bundle = event.params.bundleId;
  audit.save();
  countFor(event.params.bundleId, false);
  count(event, event.params.operator, false);
}

export function handleFeesClaimed(event: FeesClaimed): void {
  const row = record(event, contract, "FeesClaimed");
  row.operator = event.params.operator;
  if (Bundle.load(event.params.bundleId) != null) row.bundle = event.params.bundleId;
  row.save();
}

export function handleEpochOpened(event: ethereum.Event): void {
  record(event, contract, "EpochOpened").save();
}

export function handleTimeoutCalled(event: ethereum.Event): void {
  record(event, contract, "TimeoutCalled").save();
}

export function handleWindowsSet(event: ethereum.Event): void {
  record(event, contract, "WindowsSet").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
