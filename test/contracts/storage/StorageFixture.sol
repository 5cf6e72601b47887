// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {BundleRegistry} from "../../../contracts/storage/BundleRegistry.sol";
import {DatasetRegistry} from "../../../contracts/storage/DatasetRegistry.sol";
import {EncodingFraud} from "../../../contracts/storage/EncodingFraud.sol";
import {RetrievalChallenges} from "../../../contracts/storage/RetrievalChallenges.sol";
import {StorageAudit} from "../../../contracts/storage/StorageAudit.sol";
import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {IVerifierRegistry} from "../../../contracts/zk/interfaces/IVerifierRegistry.sol";
import {MiniTest} from "../MiniTest.sol";
import {BeaconDouble} from "../doubles/BeaconDouble.sol";
import {VerifierDouble} from "../doubles/VerifierDouble.sol";
import {PlainToken} from "../token/HostileTokens.sol";

/// @notice The storage contracts with real staking and access manager; beacon and verifier are doubles.
abstract contract StorageFixture is MiniTest {
    uint256 internal constant FIELD = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint64 internal constant REQUESTER = 2;
    uint64 internal constant AUDITOR = 3;
    uint64 internal constant ACCUSER = 4;
    uint64 internal constant JUDGE = 5;
    uint64 internal constant KEEPER = 6;

    uint32 internal constant EPOCH = 1 days;
    uint64 internal constant CLOSE_DELAY = 10 days;
    uint32 internal constant SEED_DELAY = 3 days;
    uint32 internal constant WINDOW = 12 hours;
    uint32 internal constant CALL_WINDOW = 3 days;
    uint32 internal constant GRACE = 1 hours;
    uint96 internal constant RETRIEVAL_BOND = 0.001 ether;

    bytes32 internal constant POSSESSION = keccak256("possession key");
    bytes32 internal constant COVERING = keccak256("covering key");
    bytes32 internal constant REGISTRATION = keccak256("registration key");

    uint96 internal constant BOND = 10 ether;
    uint96 internal constant STAKE = 100 ether;
    uint96 internal constant MISS = 80 ether;
    uint96 internal constant SURRENDER = 50 ether;
    uint96 internal constant FEE = 1 ether;
    uint32 internal constant EXCLUSIVE = 3;

    AccessManager internal access;
    PlainToken internal token;
    Staking internal staking;
    BeaconDouble internal beacon;
    VerifierDouble internal verifier;
    DatasetRegistry internal datasets;
    BundleRegistry internal bundles;
    StorageAudit internal audit;
    RetrievalChallenges internal retrieval;
    EncodingFraud internal fraud;

    address internal owner = actor("owner");
    uint256 private _manifests;

    struct Anchored {
        bytes32 id;
        uint256 bundles;
        bytes32[] poseidonRoots;
        bytes32[] transportRoots;
    }

    function setUpStorage() internal {
        vm.warp(1_800_000_000);
        access = new AccessManager(address(this));
        token = new PlainToken();
        staking = new Staking(address(access), token, 7 days, 5_000);
        beacon = new BeaconDouble();
        verifier = new VerifierDouble();
        datasets = new DatasetRegistry(address(access), token, EPOCH, CLOSE_DELAY, parameters());
        IVerifierRegistry verifying = IVerifierRegistry(address(verifier));
        bundles = newBundleRegistry();
        audit = new StorageAudit(
            address(access),
            datasets,
            bundles,
            beacon,
            verifying,
            POSSESSION,
            COVERING,
            IStorageAudit.Windows(SEED_DELAY, WINDOW, CALL_WINDOW, GRACE)
        );
        retrieval = new RetrievalChallenges(
            address(access),
            datasets,
            bundles,
            RETRIEVAL_BOND,
            6 hours,
            GRACE
        );
        fraud = new EncodingFraud(datasets, verifying, POSSESSION);
        bundles.setModules(address(audit), address(retrieval));
        grant(address(beacon), IRandomnessBeacon.request.selector, REQUESTER, address(audit));
        grant(address(datasets), IDatasetRegistry.payFee.selector, AUDITOR, address(audit));
        grant(address(bundles), IBundleRegistry.settleRepair.selector, AUDITOR, address(audit));
        grant(address(bundles), IBundleRegistry.vacate.selector, ACCUSER, address(audit));
        grant(address(bundles), IBundleRegistry.vacate.selector, ACCUSER, address(retrieval));
        grant(address(datasets), IDatasetRegistry.markFraudulent.selector, JUDGE, address(fraud));
        grant(address(datasets), IDatasetRegistry.addHeld.selector, KEEPER, address(bundles));
        grant(address(datasets), IDatasetRegistry.removeHeld.selector, KEEPER, address(bundles));
    }

    function newBundleRegistry() internal returns (BundleRegistry) {
        return
            new BundleRegistry(
                address(access),
                token,
                datasets,
                staking,
                IVerifierRegistry(address(verifier)),
                REGISTRATION,
                POSSESSION,
                EXCLUSIVE
            );
    }

    struct Deployed {
        PlainToken token;
        Staking staking;
        BeaconDouble beacon;
        DatasetRegistry datasets;
        BundleRegistry bundles;
        StorageAudit audit;
        RetrievalChallenges retrieval;
        EncodingFraud fraud;
    }

    /// @dev Lets another contract (a random walk, say) use this one's deployment.
    function deployed() internal view returns (Deployed memory) {
        return Deployed(token, staking, beacon, datasets, bundles, audit, retrieval, fraud);
    }

    function connect(Deployed memory to) internal {
        (token, staking, beacon, datasets) = (to.token, to.staking, to.beacon, to.datasets);
        (bundles, audit, retrieval, fraud) = (to.bundles, to.audit, to.retrieval, to.fraud);
    }

    function parameters() internal pure returns (IDatasetRegistry.Parameters memory) {
        return IDatasetRegistry.Parameters(BOND, STAKE, MISS, SURRENDER, address(0));
    }

    function grant(address target, bytes4 selector, uint64 role, address member) internal {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        access.setTargetFunctionRole(target, selectors, role);
        access.grantRole(role, member, 0);
    }

    /// @dev One segment of (2, n) with `n` bundles of one cell each.
    function smallShape(uint8 n) internal pure returns (IDatasetRegistry.Shape memory) {
        return IDatasetRegistry.Shape(4, 100, 4, 2, n, false);
    }

    function anchorSmall(uint8 n, uint32 epochs) internal returns (Anchored memory) {
        return anchorShape(smallShape(n), epochs);
    }

    function anchorShape(
        IDatasetRegistry.Shape memory shape,
        uint32 epochs
    ) internal returns (Anchored memory made) {
        bytes32 manifest = keccak256(abi.encode("manifest", ++_manifests));
        made.bundles =
            uint256(shape.n) * ((shape.objectCount + shape.segmentObjects - 1) / shape.segmentObjects);
        made.poseidonRoots = new bytes32[](made.bundles);
        made.transportRoots = new bytes32[](made.bundles);
        for (uint256 i = 0; i < made.bundles; ++i) {
            made.poseidonRoots[i] = bytes32(uint256(keccak256(abi.encode(manifest, i))) % FIELD);
            made.transportRoots[i] = keccak256(abi.encodePacked(bytes1(0), cellOf(manifest, i)));
        }
        anchorRoots(made, manifest, shape, epochs);
    }

    /// @dev Anchors a dataset with the roots that `made` has already.
    function anchorRoots(
        Anchored memory made,
        bytes32 manifest,
        IDatasetRegistry.Shape memory shape,
        uint32 epochs
    ) internal {
        (uint256 bond, uint256 fees) = datasets.quote(shape, FEE, epochs);
        token.mint(owner, bond + fees);
        vm.startPrank(owner);
        token.approve(address(datasets), bond + fees);
        made.id = datasets.anchor(
            anchorParameters(made, manifest, shape, epochs),
            made.poseidonRoots,
            made.transportRoots
        );
        vm.stopPrank();
    }

    /// @dev Root over the leaves of all bundles: where the proof of the first one leads.
    function bundlesRootOf(Anchored memory made) internal pure returns (bytes32 root) {
        bytes32[] memory proof = bundleProof(made, 0);
        root = keccak256(
            abi.encodePacked(bytes1(0), uint32(0), made.poseidonRoots[0], made.transportRoots[0])
        );
        for (uint256 i = 0; i < proof.length; ++i) {
            root = keccak256(abi.encodePacked(bytes1(0x01), root, proof[i]));
        }
    }

    /// @dev What `owner` anchors, under the id that follows from the parameters in force.
    function anchorParameters(
        Anchored memory made,
        bytes32 manifest,
        IDatasetRegistry.Shape memory shape,
        uint32 epochs
    ) internal view returns (IDatasetRegistry.AnchorParameters memory) {
        IDatasetRegistry.AnchorParameters memory anchored = IDatasetRegistry.AnchorParameters(
            0,
            manifest,
            "sha-256",
            keccak256("objects"),
            shape,
            0,
            FEE,
            epochs
        );
        return named(datasets, bundlesRootOf(made), anchored, owner);
    }

    /// @dev The same with the id of what it says, if `anchorer` anchors it.
    function named(
        DatasetRegistry registry,
        bytes32 bundlesRoot,
        IDatasetRegistry.AnchorParameters memory anchored,
        address anchorer
    ) internal view returns (IDatasetRegistry.AnchorParameters memory) {
        IDatasetRegistry.Terms memory terms = IDatasetRegistry.Terms(
            anchored.shape,
            anchored.objectRoot,
            bundlesRoot,
            anchored.previous,
            anchored.feePerAudit,
            anchored.epochs,
            registry.parameters()
        );
        anchored.datasetId = registry.idOf(anchorer, anchored.manifestHash, terms);
        return anchored;
    }

    /// @dev The only cell of bundle `i` of the small datasets.
    function cellOf(bytes32 manifest, uint256 i) internal pure returns (bytes memory cell) {
        cell = new bytes(496);
        bytes32 first = keccak256(abi.encode(manifest, i));
        assembly ("memory-safe") {
            mstore(add(cell, 32), first)
        }
    }

    function manifestOf(uint256 number) internal pure returns (bytes32) {
        return keccak256(abi.encode("manifest", number));
    }

    function bundleOf(Anchored memory made, uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(made.id, index));
    }

    /// @dev Siblings of a bundle's leaf, from the definition: a full tree with zeros for absent leaves.
    function bundleProof(Anchored memory made, uint256 index) internal pure returns (bytes32[] memory proof) {
        uint256 depth;
        while (2 ** depth < made.bundles) ++depth;
        bytes32[] memory level = new bytes32[](2 ** depth);
        for (uint256 i = 0; i < made.bundles; ++i) {
            level[i] = keccak256(
                abi.encodePacked(bytes1(0), uint32(i), made.poseidonRoots[i], made.transportRoots[i])
            );
        }
        proof = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) {
            proof[d] = level[index ^ 1];
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = keccak256(abi.encodePacked(bytes1(0x01), level[2 * i], level[2 * i + 1]));
            }
            (level, index) = (above, index / 2);
        }
    }

    /// @dev Registers `name` as a storage operator with `amount` of stake.
    function enlist(string memory name, uint256 amount) internal returns (address operator) {
        operator = actor(name);
        vm.prank(operator);
        staking.register(uint8(1 << uint8(IStaking.Role.Storage)), hex"0024", "/dns4/example/tcp/1");
        addStake(operator, amount);
    }

    /// @dev As `enlist`, also for one that is registered already.
    function fund(string memory name, uint256 amount) internal {
        if (staking.operatorOf(actor(name)).active) addStake(actor(name), amount);
        else enlist(name, amount);
    }

    function addStake(address operator, uint256 amount) internal {
        token.mint(operator, amount);
        vm.startPrank(operator);
        token.approve(address(staking), amount);
        staking.stake(amount);
        staking.approve(address(bundles), type(uint256).max);
        vm.stopPrank();
    }

    function receiptFor(
        Anchored memory made,
        uint256 index,
        address operator,
        uint64 validUntil
    ) internal view returns (IBundleRegistry.Receipt memory) {
        return
            IBundleRegistry.Receipt(
                made.id,
                uint32(index),
                made.poseidonRoots[index],
                made.transportRoots[index],
                operator,
                validUntil,
                datasets.datasetOf(made.id).endEpoch
            );
    }

    function signReceipt(
        Anchored memory made,
        uint256 index,
        string memory name,
        uint64 validUntil
    ) internal view returns (IBundleRegistry.SignedReceipt memory signed) {
        signed.receipt = receiptFor(made, index, actor(name), validUntil);
        signed.proof = bundleProof(made, index);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(name), bundles.receiptDigest(signed.receipt));
        signed.signature = abi.encodePacked(r, s, v);
    }

    function placeSigned(IBundleRegistry.SignedReceipt memory signed) internal {
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](1);
        list[0] = signed;
        vm.prank(owner);
        bundles.place(list);
    }

    /// @dev The present time, read through a call: via-IR may move `block.timestamp` across a warp.
    function time() internal view returns (uint64) {
        return this.blockTime();
    }

    function blockTime() external view returns (uint64) {
        return uint64(block.timestamp);
    }

    /// @dev Places bundle `index` with `name`, under a receipt signed now with the longest validity: by the owner when
    /// nobody has held it yet, else with a proof, in the next epoch where this one's seed may not be used.
    function place(
        Anchored memory made,
        uint256 index,
        string memory name
    ) internal returns (bytes32 bundleId) {
        bundleId = bundleOf(made, index);
        if (bundles.holdingOf(bundleId).tenure == 0) {
            placeSigned(signReceipt(made, index, name, time() + 1 days));
            return bundleId;
        }
        uint32 epoch = audit.currentEpoch();
        (, uint64 opensAt, ) = audit.windowOf(epoch);
        if (opensAt == 0 || epoch < bundles.provableFrom(made.id, uint32(index), actor(name)))
            epoch = nextEpoch();
        placeProven(made, index, name, epoch);
    }

    function placeProven(Anchored memory made, uint256 index, string memory name, uint32 epoch) internal {
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, index, actor(name), epoch));
        bundles.placeProven(signReceipt(made, index, name, time() + 1 days), epoch, 7, proof);
    }

    function enlistAndPlace(
        Anchored memory made,
        uint256 index,
        string memory name
    ) internal returns (bytes32 bundleId) {
        enlist(name, STAKE);
        return place(made, index, name);
    }

    function toEpoch(uint32 epoch) internal {
        vm.warp(datasets.genesis() + uint256(epoch) * EPOCH);
    }

    /// @dev Moves to the start of the next epoch, opens it and delivers its seed at once.
    function nextEpoch() internal returns (uint32 epoch) {
        toEpoch(audit.currentEpoch() + 1);
        return openWithSeed();
    }

    function openWithSeed() internal returns (uint32 epoch) {
        epoch = audit.openEpoch();
        beacon.deliver(beacon.lastRequest(), seedFor(epoch));
    }

    function seedFor(uint32 epoch) internal pure returns (bytes32) {
        return keccak256(abi.encode("seed", epoch));
    }

    /// @dev Public signals of a bundle's answer, straight from docs/storage-protocol.md section 6.
    function signalsFor(
        bytes32 bundleId,
        uint32 epoch,
        uint256 evaluation
    ) internal view returns (uint256[] memory signals) {
        return possessionSignals(bundleId, bundles.holdingOf(bundleId), epoch, evaluation, address(audit));
    }

    /// @dev Public signals of the proof with which an operator takes a bundle, section 5.
    function placingSignals(
        Anchored memory made,
        uint256 index,
        address operator,
        uint32 epoch
    ) internal view returns (uint256[] memory) {
        IBundleRegistry.Holding memory holding;
        holding.operator = operator;
        holding.cells = uint16(datasets.cellsOf(made.id, uint32(index)));
        holding.poseidonRoot = uint256(made.poseidonRoots[index]);
        return possessionSignals(bundleOf(made, index), holding, epoch, 7, address(bundles));
    }

    function possessionSignals(
        bytes32 bundleId,
        IBundleRegistry.Holding memory holding,
        uint32 epoch,
        uint256 evaluation,
        address judge
    ) internal view returns (uint256[] memory signals) {
        (bytes32 seed, , ) = audit.windowOf(epoch);
        signals = new uint256[](4);
        signals[0] = evaluation;
        signals[1] = holding.poseidonRoot;
        for (uint256 j = 0; j < 16; ++j) {
            uint256 index =
                uint256(keccak256(abi.encode(seed, bundleId, holding.operator, j))) % holding.cells;
            signals[2] += index * 2 ** (14 * j);
        }
        signals[3] =
            uint256(
                keccak256(
                    abi.encode(
                        seed,
                        bundleId,
                        holding.poseidonRoot,
                        holding.operator,
                        uint256(epoch),
                        block.chainid,
                        judge
                    )
                )
            ) % FIELD;
    }

    function proofOf(bytes32 key, uint256[] memory signals) internal pure returns (uint256[8] memory proof) {
        proof[0] = uint256(keccak256(abi.encode(key, signals)));
    }

    function answer(bytes32 bundleId, uint32 epoch) internal {
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(bundleId, epoch, 7));
        audit.answer(bundleId, epoch, 7, proof);
    }

    /// @dev Lets the window of the present epoch pass, calls the timeout as `reporter` and lets the grace pass.
    function runTimeout(bytes32 bundleId, uint32 epoch, address reporter) internal {
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(uint256(closesAt) + 1);
        vm.prank(reporter);
        audit.callTimeout(bundleId, epoch);
        vm.warp(uint256(closesAt) + 2 + GRACE);
    }

    function slash(bytes32 bundleId, uint32 epoch, address reporter) internal {
        runTimeout(bundleId, epoch, reporter);
        audit.slashMissed(bundleId, epoch);
    }
}
