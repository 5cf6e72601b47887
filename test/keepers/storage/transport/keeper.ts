/** A keeper of its own process, to be killed: `node keeper.ts <staging directory>`; prints its address. */
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { ShardServer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { generator } from "../random.ts";
import { serviceOver } from "./service.ts";

const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
const staging = await UploadStaging.open(process.argv[2]!);
await ShardServer.start(host, serviceOver(new Map([[0, generator(3).bytes(16384 * 496)]]), staging));
console.log(host.getMultiaddrs()[0]!.toString());
