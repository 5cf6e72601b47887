const storage = ["BundleRegistry.BundlePlaced", "StorageAudit.AuditAnswered", "StorageAudit.AuditMissed"];
const registry = ["JobRegistry.JobOpened", "JobRegistry.JobFinalised", "JobRegistry.JobFailed"];

/** Events that the figures of a query come from first of all, by the query's name: to be looked up on the chain. */
export const eventsBehind: { readonly [query: string]: readonly string[] } = {
  BundleAudits: storage,
  DailyTotals: [...registry, ...storage],
  JobHistory: ["JobRegistry", "Market", "Committee", "DisputeGame", "Instalments", "Escrow"],
  Lineage: ["DatasetRegistry.DatasetAnchored", "JobRegistry.JobOpened", "JobRegistry.JobCommitted"],
  ModelCertificate: ["ModelCertificate.CertificateIssued"],
  NetworkTotals: [
    "DatasetRegistry.DatasetAnchored",
    ...registry,
    "Staking.Staked",
    "Escrow.PricePaid",
    ...storage,
  ],
  OperatorBundles: storage,
  OperatorJobs: registry,
  OperatorRecord: [
    "Staking.OperatorRegistered",
    "Staking.Staked",
    "Staking.Slashed",
    ...storage,
    ...registry,
  ],
  OperatorWork: [
    ...storage,
    ...registry,
    "Staking.Slashed",
    "Escrow.PricePaid",
    "Escrow.FeePaid",
    "DatasetRegistry.FeePaid",
  ],
  OperatorsAtWork: ["Staking.OperatorRegistered", "Staking.Staked", "Staking.Slashed"],
  OrderedJobs: registry,
  PostedOrders: ["Market.OrderPosted", "JobRegistry.JobOpened"],
  RecentJobs: registry,
  SlashedOperators: ["Staking.Slashed"],
  StorageHealth: ["DatasetRegistry.DatasetAnchored", ...storage, "RetrievalChallenges.RetrievalFailed"],
  StoredDatasets: ["DatasetRegistry.DatasetAnchored", ...storage],
  TrainingData: ["Market.OrderPosted", "JobRegistry.JobOpened"],
  WhatWentWrong: ["DisputeGame.Challenged", "DisputeGame.Moved", "DisputeGame.ProviderConvicted"],
  WhoChecked: ["Committee.CommitteeDrawn", "Committee.RootSigned", "Committee.DigestsRevealed"],
  WhoTrained: ["Market.BidCommitted", "Market.BidRevealed", "Instalments.CheckpointPosted"],
  WhoWasPaid: ["Escrow.PricePaid", "Escrow.FeePaid", "Escrow.Refunded"],
};
