import { useBlockNumber } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { Card, PageHead } from "../ui/card.tsx";
import { Fact, Facts } from "../ui/stat.tsx";

/** The network as a whole. */
export default function Overview() {
  const { name, deployment, rpc } = useNetwork();
  const { data: block } = useBlockNumber({ watch: true });
  return (
    <>
      <PageHead title={name} />
      <Card title="Contracts">
        <Facts>
          <Fact name="Chain">{deployment.chainId}</Fact>
          <Fact name="Read from">{rpc.join(", ")}</Fact>
          <Fact name="Block">{block === undefined ? "…" : block.toLocaleString("en")}</Fact>
        </Facts>
      </Card>
    </>
  );
}
