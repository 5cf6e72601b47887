import { BigInt, Bytes, ethereum } from "@graphprotocol/graph-ts";
import {
  AuctionAwarded,
  AuctionClosed,
  AuctionOpened,
  BidAccepted,
  BidCommitted,
  BidRevealed,
  BondLost,
  BondReturned,
  Matched,
  OrderPosted,
  RevealTimeoutCalled,
} from "../generated/Market/Market";
import { Auction, Bid } from "../generated/schema";
import { bidId, orderOf, tupleOf } from "./orders";
import { operator, reasonOf, record, zero } from "./record";

const contract = "Market";

export function handleOrderPosted(event: OrderPosted): void {
  record(event, contract, "OrderPosted").save();
  const order = orderOf(event, event.params.orderHash, tupleOf(event, "order"));
  order.training = event.params.training;
  order.trainingPackage = event.params.package_;
  order.isPosted = true;
  order.save();
}

export function handleAuctionOpened(event: AuctionOpened): void {
  const id = event.params.jobId.toString();
  const row = record(event, contract, "AuctionOpened");
  row.job = id;
  row.save();
  const auction = new Auction(id);
  auction.job = id;
  auction.bond = event.params.terms.bond;
  auction.commitUntil = event.params.commitUntil;
  auction.revealUntil = event.params.revealUntil;
  auction.isClosed = false;
  auction.save();
}

function bidOf(event: ethereum.Event, job: BigInt, provider: Bytes): Bid {
  const id = bidId(job, provider);
  const existing = Bid.load(id);
  if (existing != null) return existing;
  operator(provider);
  const created = new Bid(id);
  created.job = job.toString();
  created.provider = provider;
  created.status = "Committed";
  created.bondLost = zero;
  created.at = event.block.timestamp;
  return created;
}

export function handleBidCommitted(event: BidCommitted): void {
  const row = record(event, contract, "BidCommitted");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  bid.commitment = event.params.commitment;
  bid.save();
}

export function handleBidRevealed(event: BidRevealed): void {
  const row = record(event, contract, "BidRevealed");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  bid.price = event.params.bid.price;
  bid.compute = event.params.bid.compute;
  bid.status = "Revealed";
  bid.save();
}

export function handleBidAccepted(event: BidAccepted): void {
  const row = record(event, contract, "BidAccepted");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  bid.price = event.params.bid.price;
  bid.compute = event.params.bid.compute;
  bid.status = "Won";
  bid.save();
}

export function handleAuctionAwarded(event: AuctionAwarded): void {
  const row = record(event, contract, "AuctionAwarded");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const auction = Auction.load(event.params.jobId.toString())!;
  auction.winner = event.params.provider;
  auction.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  bid.status = "Won";
  bid.save();
}

export function handleAuctionClosed(event: AuctionClosed): void {
  const row = record(event, contract, "AuctionClosed");
  row.job = event.params.jobId.toString();
  row.save();
  const auction = Auction.load(event.params.jobId.toString())!;
  auction.isClosed = true;
  auction.save();
}

export function handleBondReturned(event: BondReturned): void {
  const row = record(event, contract, "BondReturned");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  // The winner stays the winner.
  if (bid.status != "Won") bid.status = "BondReturned";
  bid.save();
}

export function handleBondLost(event: BondLost): void {
  const row = record(event, contract, "BondLost");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
  const bid = bidOf(event, event.params.jobId, event.params.provider);
  bid.status = "BondLost";
  bid.bondLost = event.params.amount;
  bid.reason = reasonOf(event.params.reason);
  bid.save();
}

export function handleMatched(event: Matched): void {
  const row = record(event, contract, "Matched");
  row.job = event.params.jobId.toString();
  row.operator = event.params.provider;
  row.save();
}

export function handleRevealTimeoutCalled(event: RevealTimeoutCalled): void {
  const row = record(event, contract, "RevealTimeoutCalled");
  row.job = event.params.jobId.toString();
  row.save();
  const auction = Auction.load(event.params.jobId.toString())!;
  auction.revealUntil = event.params.graceEnds;
  auction.save();
}

export function handleFeedSet(event: ethereum.Event): void {
  record(event, contract, "FeedSet").save();
}

export function handleNonceCancelled(event: ethereum.Event): void {
  record(event, contract, "NonceCancelled").save();
}

export function handleWithdrawn(event: ethereum.Event): void {
  record(event, contract, "Withdrawn").save();
}

export function handleBurnFlushed(event: ethereum.Event): void {
  record(event, contract, "BurnFlushed").save();
}

export function handlePaused(event: ethereum.Event): void {
  record(event, contract, "Paused").save();
}

export function handleUnpaused(event: ethereum.Event): void {
  record(event, contract, "Unpaused").save();
}

export function handleAuthorityUpdated(event: ethereum.Event): void {
  record(event, contract, "AuthorityUpdated").save();
}

export function handleEIP712DomainChanged(event: ethereum.Event): void {
  record(event, contract, "EIP712DomainChanged").save();
}
