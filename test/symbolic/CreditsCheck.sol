// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Credits} from "../../contracts/libraries/Credits.sol";
import {Limits} from "../../contracts/storage/Limits.sol";

contract Tokens is ERC20 {
    constructor() ERC20("", "") {
        _mint(msg.sender, type(uint128).max);
    }
}

contract Purse is Credits {
    constructor(ERC20 token_) Credits(token_) {}

    function credit(address account, uint256 amount) external {
        _credit(account, amount);
    }

    function burn(uint256 amount) external {
        _burn(amount);
    }

    function payOut(address to) external returns (uint256) {
        return _payOut(to);
    }

    function flushBurn() external returns (uint256) {
        return _flushBurn();
    }

    function creditOf(address account) external view returns (uint256) {
        return _creditOf(account);
    }
}

/// @notice Properties of Credits, for all accounts and amounts.
contract CreditsCheck {
    ERC20 private immutable tokens = new Tokens();
    Purse private immutable purse = new Purse(tokens);

    function check_credit_addsToItsAccountAndToNoOther(
        address account,
        address other,
        uint128 first,
        uint128 second,
        uint128 others
    ) external {
        purse.credit(other, others);
        uint256 before = purse.creditOf(account);
        purse.credit(account, first);
        purse.credit(account, second);
        assert(purse.creditOf(account) == before + first + second);
        if (other != account) assert(purse.creditOf(other) == others);
    }

    function check_payOut_paysTheWholeCreditOnceAndNobodyElses(
        address other,
        uint64 own,
        uint64 others,
        uint64 burnt,
        address to
    ) external {
        tokens.transfer(address(purse), uint256(own) + others + burnt);
        purse.credit(address(this), own);
        purse.credit(other, others);
        purse.burn(burnt);
        uint256 due = purse.creditOf(address(this));
        uint256 held = tokens.balanceOf(address(purse));
        uint256 ofOther = purse.creditOf(other);
        assert(purse.payOut(to) == due);
        assert(to != address(purse) && to != address(0));
        assert(tokens.balanceOf(address(purse)) == held - due);
        assert(purse.creditOf(address(this)) == 0);
        if (other != address(this)) assert(purse.creditOf(other) == ofOther);
        (bool isPaidAgain, ) = address(purse).call(abi.encodeCall(Purse.payOut, (to)));
        assert(!isPaidAgain);
    }

    function check_flushBurn_sendsWhatWasBurntToTheSinkAndNothingElse(
        address other,
        uint64 others,
        uint64 burnt
    ) external {
        if (other == Limits.BURN_SINK) return;
        tokens.transfer(address(purse), uint256(others) + burnt);
        purse.credit(other, others);
        purse.burn(burnt);
        uint256 before = tokens.balanceOf(Limits.BURN_SINK);
        assert(purse.flushBurn() == burnt);
        assert(tokens.balanceOf(Limits.BURN_SINK) == before + burnt);
        assert(purse.creditOf(other) == others);
    }
}
