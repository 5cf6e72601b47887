import type { ReactNode } from "react";
import type { Hex } from "viem";
import styles from "../compute/compute.module.css";
import type { EncodedDataset } from "../engine/methods.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { ReadBack } from "./read-back.tsx";
import { leastOfSegment, type StoreState } from "./read-store.ts";

type Props = {
  readonly encoded: EncodedDataset;
  readonly bundles: number;
  readonly segments: number;
  readonly state: StoreState;
  /** Bundles that storage nodes have signed for, with receipts that are still good. */
  readonly signed: ReadonlySet<number>;
  readonly onward: ((datasetId: Hex) => ReactNode) | undefined;
  /** Whether the chain is being asked what the wallet will be asked for. */
  readonly isAsking: boolean;
  readonly anchor: () => void;
  readonly place: () => void;
  readonly again: () => void;
};

/** The next thing to do, of anchoring, placing, sending what is left, and seeing that storage nodes have it. */
export function NextStep(props: Props) {
  const { encoded, bundles, segments, state, signed, onward, isAsking, anchor, place, again } = props;
  const { manifest } = encoded;
  const { datasetId, held, standing, bond, fees, balance } = state;
  if (held.size === bundles) return <ReadBack key={datasetId} {...{ encoded, datasetId, onward }} />;
  const known = new Set([...held, ...signed]);
  const least = leastOfSegment(manifest, segments, known);
  const isEnough = least >= manifest.k;
  const isNew = standing === "new";
  const canPay = balance >= bond + fees;
  return (
    <>
      {!isEnough && isNew && (
        <Notice tone="wrong" title="Too few storage nodes have taken bundles">
          <p>
            Any {manifest.k} of {manifest.n} bundles of a segment are needed to restore it; with fewer nothing
            is paid. Storage nodes take bundles from pages when they listen for WebSockets
            {location.protocol === "https:" && ", and from a page that came by https when these are wss"}.
          </p>
        </Notice>
      )}
      {isEnough && isNew && least < manifest.n && (
        <Notice tone="waiting" title="Some bundles have no storage node yet">
          <p>
            You can pay now and have the others sent later; until then fewer nodes may fail: {least} bundles
            of a segment are spoken for, and {manifest.k} are needed.
          </p>
        </Notice>
      )}
      {!isNew && signed.size === 0 && (
        <Notice tone="waiting" title={`${bundles - held.size} bundles have no storage node`}>
          <p>It is anchored and paid for. What is left can be sent now.</p>
        </Notice>
      )}
      {isNew && isEnough && !canPay && <Notice tone="wrong" title="The account has too few tokens for it" />}
      <div className={styles.row}>
        {isNew && isEnough && (
          <Button kind="main" onClick={anchor} disabled={isAsking || !canPay}>
            Anchor it and pay
          </Button>
        )}
        {!isNew && signed.size > 0 && (
          <Button kind="main" onClick={place} disabled={isAsking}>
            Place the bundles
          </Button>
        )}
        {known.size < bundles && <Button onClick={again}>Send what nobody has taken</Button>}
      </div>
    </>
  );
}
