import { useConnection } from "wagmi";
import { keptAddress, useKeeper } from "../../mine/own-keeper.ts";
import { useNetwork } from "../../network/context.ts";
import { Amount } from "../../ui/values.tsx";
import { type HistoryEvent, parametersOf } from "./job-events.ts";

/**
 * Who computes for a provider that trains. The chain tells whether it pays workers, and up to what; how many there are at
 * the moment only its own keeper knows, and says to whom it belongs.
 */
export function Workers({ events, provider }: { events: readonly HistoryEvent[]; provider: string }) {
  const { address } = useConnection();
  const isOwn = address?.toLowerCase() === provider.toLowerCase();
  return (
    <p>
      <Paid events={events} provider={provider} />
      {isOwn && <Connected />}
    </p>
  );
}

function Paid({ events, provider }: { events: readonly HistoryEvent[]; provider: string }) {
  const opened = events.findLast(
    (event) =>
      event.contract === "WorkerRewards" &&
      event.name === "RoundOpened" &&
      parametersOf<{ provider: string }>(event).provider.toLowerCase() === provider.toLowerCase(),
  );
  if (opened === undefined) return "No workers are paid on the chain: the provider computes alone.";
  const { surety } = parametersOf<{ surety: string }>(opened);
  return (
    <>
      Workers compute for it, and are sure of <Amount units={surety} /> in all.
    </>
  );
}

function Connected() {
  const { metrics } = useNetwork();
  const keeper = useKeeper(keptAddress() || (metrics ?? ""));
  const workers = keeper.data?.samples.find(({ name }) => name === "assay_workers");
  if (workers === undefined) return null;
  return ` ${workers.value === 1 ? "One worker is" : `${workers.value.toLocaleString("en")} workers are`} connected to your keeper now.`;
}
