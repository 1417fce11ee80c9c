"""The model against the reference implementation and against the recorded runs that everybody uses."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hulian.demo.process import BASE_CASE, Process
from hulian.demo.simulation import Simulation

SAMPLES = Path(os.environ.get("HULIAN_SAMPLES", Path(__file__).parents[3] / "shared" / "samples")) / "tennessee-eastman"
THREE_MINUTES = 180
MOMENTS = count(1)
"""The reference computes anew only at a new time, and takes time zero for a reset."""


@pytest.fixture
def reference():
    native = pytest.importorskip("tep_studio.simulation.native", reason="tep-studio (optional extra 'tep') is not installed")
    kernel = native.NativeTEPKernel()
    kernel.reset()
    return kernel


def slopes_of(kernel, state, valves, disturbances):
    kernel.set_inputs(np.array(valves), np.array([*map(float, disturbances[1:]), *[0.0] * 8]))
    return kernel.derivatives(next(MOMENTS) * 1e-5, np.array(state))


def assert_slopes_agree(ours, theirs, state):
    """The reference computes some constants in single precision, hence a part in a million of the largest term."""
    scale = np.maximum(np.abs(np.array(state)), 1e-3)
    np.testing.assert_allclose(np.array(ours) / scale, np.array(theirs) / scale, rtol=1e-5, atol=1e-3)


def test_base_case_is_a_steady_state_with_the_published_measurements():
    process = Process()
    published = [
        0.25052, 3664.0, 4509.3, 9.3477, 26.902, 42.339, 2705.0, 75.0, 120.40, 0.33712, 80.109, 50.0, 2633.7, 25.160, 50.0,
        3102.2, 22.949, 65.731, 230.31, 341.43, 94.599, 77.297,
    ]  # fmt: skip
    np.testing.assert_allclose(process.exact, published, rtol=1e-4)
    feed, purge, product = process.composition[:6], process.composition[6:14], process.composition[14:]
    np.testing.assert_allclose(feed, [32.188, 8.8933, 26.383, 6.8820, 18.776, 1.6567], rtol=1e-4)
    np.testing.assert_allclose(purge, [32.958, 13.823, 23.978, 1.2565, 18.579, 2.2633, 4.8436, 2.2986], rtol=1e-4)
    np.testing.assert_allclose(product, [0.01787, 0.83570, 0.09858, 53.724, 43.828], rtol=1e-3)
    assert max(abs(np.array(process.derivatives()) / np.maximum(np.array(BASE_CASE), 1e-2))) < 0.05


def test_every_step_of_a_disturbed_run_has_the_slopes_of_the_reference(reference):
    plant = Simulation(seed=4)
    for number in (1, 4, 7):
        plant.disturbances[number] = True
    for _ in range(120):
        plant.advance(60)
        state, process = plant.process.state, plant.process
        theirs = slopes_of(reference, state, process.valves, process.disturbances)
        assert_slopes_agree(process.derivatives(), theirs, state)
    assert not plant.trip


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7])
def test_a_step_disturbance_acts_as_in_the_reference(reference, number):
    process = Process()
    calm = process.derivatives()
    process.disturbances[number] = True
    ours = process.derivatives()
    theirs = slopes_of(reference, process.state, process.valves, process.disturbances)
    assert_slopes_agree(ours, theirs, process.state)
    assert ours != calm


def test_measurements_are_those_of_the_reference(reference):
    process = Process()
    for _ in range(600):
        process.step(1 / 3600)
    process.derivatives()
    theirs = reference.outputs(0.0, np.array(process.state))["measurements"][:22]
    np.testing.assert_allclose(process.exact, theirs, rtol=1e-5)


@pytest.mark.parametrize("hours", [8, pytest.param(24, marks=pytest.mark.soak)])
def test_hours_under_control_are_stable_and_the_instruments_show_the_published_noise(hours):
    plant = Simulation(seed=3)
    rows = []
    for _ in range(hours * 3600 // THREE_MINUTES):
        plant.advance(THREE_MINUTES)
        rows.append(plant.measured)
    assert plant.trip == ""
    assert plant.seconds == hours * 3600
    day = np.array(rows)
    third = len(day) // 3
    first, last = day[:third], day[-third:]
    spread = day.std(axis=0)
    assert np.all(np.abs(first.mean(axis=0) - last.mean(axis=0)) < 1.5 * spread)
    assert abs(day[:, 6].mean() - 2705) < 10
    assert abs(day[:, 7].mean() - 75.0) < 0.2
    assert abs(day[:, 8].mean() - 120.4) < 0.01
    assert 0.3 < day[:, 7].std() < 0.8
    if (recording := SAMPLES / "d00_te.dat").exists():
        recorded = np.loadtxt(recording)[:, :41]
        assert np.all(np.abs(day.mean(axis=0) - recorded.mean(axis=0)) < 0.35 * recorded.std(axis=0))
        if hours == 24:  # what drifts slowly shows its spread in a day
            ratio = spread / recorded.std(axis=0)
            assert np.all((ratio > 0.5) & (ratio < 1.6)), ratio


@pytest.mark.samples("tennessee-eastman")
@pytest.mark.skipif(not SAMPLES.exists(), reason="sample tennessee-eastman is not there")
@pytest.mark.parametrize(
    ("number", "hours", "moved"),
    [
        (1, 9, {0: "A feed", 3: "A and C feed", 17: "stripper temperature", 43: "A feed valve"}),
        (4, 3, {50: "reactor cooling water valve"}),
        (6, 5, {0: "A feed", 6: "reactor pressure", 10: "separator temperature", 15: "stripper pressure"}),
    ],
)
def test_fault_moves_what_it_moved_in_the_recorded_run(number, hours, moved):
    """The recordings switch the fault on after eight hours and sample every three minutes."""
    normal = np.loadtxt(SAMPLES / "d00_te.dat")
    recorded = np.loadtxt(SAMPLES / f"d{number:02d}_te.dat")
    plant = Simulation(seed=5)
    plant.advance(3600)
    plant.disturbances[number] = True
    rows = []
    for _ in range(hours * 20):
        plant.advance(THREE_MINUTES)
        rows.append([*plant.measured, *plant.valves])
    ours = np.array(rows[-20:]).mean(axis=0)
    at = 160 + hours * 20
    theirs = recorded[at - 20 : at].mean(axis=0)
    for column, what in moved.items():
        shift = (ours[column] - normal[:, column].mean()) / normal[:, column].std()
        recorded_shift = (theirs[column] - normal[:, column].mean()) / normal[:, column].std()
        assert abs(recorded_shift) > 2.5, what
        assert shift == pytest.approx(recorded_shift, rel=0.35, abs=1.0), what


@pytest.mark.soak
def test_lost_a_feed_ends_in_a_trip_after_about_six_hours():
    plant = Simulation(seed=2)
    plant.disturbances[6] = True
    plant.advance(8 * 3600)
    assert plant.trip == "reactor pressure above 3000 kPa"
    assert 5 < plant.seconds / 3600 < 7.5


def test_tripped_plant_stands_still_until_reset():
    plant = Simulation(seed=2)
    plant.disturbances[6] = True
    plant.advance(60)
    plant.process.state[8] *= 1.6
    plant.advance(60)
    assert plant.trip == "reactor pressure above 3000 kPa"
    stopped, shown = plant.seconds, plant.measured
    plant.advance(60)
    assert plant.seconds == stopped
    assert plant.measured == shown
    plant.reset()
    assert plant.trip == ""
    assert not any(plant.disturbances)
    plant.advance(600)
    assert plant.measured[6] == pytest.approx(2705, abs=20)


@pytest.mark.parametrize("number", [8, 9, 10, 11, 12, 13, 16, 17, 18, 20])
def test_random_disturbance_acts_while_on_and_fades_when_off(number):
    def after(hours, process):
        for tick in range(round(process.time * 100), round((process.time + hours) * 100)):
            process._walks.values(tick / 100, process.disturbances)
        process.time += hours
        return process.derivatives()

    process = Process(seed=9)
    calm = after(6.0, process)
    assert calm == Process().derivatives()
    process.disturbances[number] = True
    differing = [after(0.73, process) != calm for _ in range(20)]
    assert sum(differing) > 5
    process.disturbances[number] = False
    after(10.0, process)
    np.testing.assert_allclose(process.derivatives(), calm, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("number", "valves"), [(14, [10]), (15, [11]), (19, [5, 7, 8, 9])])
def test_sticking_valve_ignores_what_is_smaller_than_its_band(number, valves):
    process = Process()
    process.disturbances[number] = True
    process.valves = [v + 1.5 for v in BASE_CASE[38:]]
    moving = [abs(slope) > 1.0 for slope in process.derivatives()[38:]]
    assert moving == [n not in valves for n in range(1, 13)]
    process.valves = [v + 2.5 for v in BASE_CASE[38:]]
    assert all(slope > 1.0 for slope in process.derivatives()[38:])


def test_same_seed_same_run_other_seed_other_noise():
    runs = []
    for seed in (1, 1, 2):
        plant = Simulation(seed=seed)
        plant.disturbances[8] = True
        plant.advance(900)
        runs.append(plant.measured)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_analysers_show_the_sample_before_the_last():
    process = Process(seed=1)
    before = process.composition[3]
    process.valves[0] = 75.0
    run(process, 365)
    assert process.samples == [1, 0]
    first = process.composition[3]
    assert process.measure()[25] == pytest.approx(before, abs=0.4)
    run(process, 360)
    assert process.samples == [2, 0]
    assert first > before + 0.6
    assert process.measure()[25] == pytest.approx(first, abs=0.4)
    run(process, 200)
    assert process.samples == [2, 1]


def run(process, seconds):
    for _ in range(seconds):
        process.step(1 / 3600)
