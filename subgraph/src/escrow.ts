import { ethereum } from "@graphprotocol/graph-ts";
import { FeePaid, Funded, PricePaid, Refunded } from "../generated/Escrow/Escrow";
import { Job } from "../generated/schema";
import { earn, payment } from "./payments";
import { record } from "./record";

const contract = "Escrow";

export function handleFunded(event: Funded): void {
  const row = record(event, contract, "Funded");
  row.job = event.params.jobId.toString();
  row.save();
}

export function handlePricePaid(event: PricePaid): void {
  const id = event.params.jobId.toString();
  const row = record(event, contract, "PricePaid");
  row.job = id;
  row.operator = event.params.to;
  row.save();
  const paid = payment(event, "Price", event.params.to, event.params.amount);
  paid.job = id;
  paid.save();
  earn(event, event.params.to, event.params.amount);
  const job = Job.load(id)!;
  job.paid = job.paid.plus(event.params.amount);
  job.save();
}

export function handleFeePaid(event: FeePaid): void {
  const id = event.params.jobId.toString();
  const row = record(event, contract, "FeePaid");
  row.job = id;
  row.operator = event.params.to;
  row.save();
  const paid = payment(event, "CheckFee", event.params.to, event.params.amount);
  paid.job = id;
  paid.save();
  earn(event, event.params.to, event.params.amount);
}

export function handleRefunded(event: Refunded): void {
  const id = event.params.jobId.toString();
  const row = record(event, contract, "Refunded");
  row.job = id;
  row.save();
  const refund = payment(event, "Refund", event.params.to, event.params.amount);
  refund.job = id;
  refund.save();
  const job = Job.load(id)!;
  job.refunded = job.refunded.plus(event.params.amount);
  job.save();
}

export function handleWithdrawn(event: ethereum.Event): void {
  record(event, contract, "Withdrawn").save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}
