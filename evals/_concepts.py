"""What everybody knows, for `commonsenseqa`: kinds, opposites, uses, jobs and places.

Within a table each right-hand side holds for its own line and plainly not for another, so any of the others is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _pairs(table: str) -> Mapping[str, str]:
    return dict(line.strip().split(": ", 1) for line in table.strip().splitlines())


KINDS: Final = {
    kind: members.split(", ")
    for kind, members in _pairs("""
        bird: sparrow, eagle, owl, parrot, penguin, robin, swan, pigeon
        fish: salmon, trout, shark, tuna, cod, eel, carp, herring
        insect: ant, bee, beetle, butterfly, mosquito, wasp, grasshopper, ladybird
        tree: oak, pine, birch, maple, willow, beech, elm, fir
        flower: rose, tulip, daisy, lily, orchid, sunflower, poppy, daffodil
        fruit: apple, banana, cherry, grape, peach, plum, mango, strawberry
        vegetable: carrot, onion, potato, cabbage, spinach, broccoli, lettuce, radish
        instrument: violin, piano, flute, drum, trumpet, guitar, harp, cello
        tool: hammer, saw, screwdriver, wrench, drill, chisel, spanner, axe
        vehicle: car, bus, truck, train, bicycle, tractor, van, motorcycle
        furniture: table, chair, sofa, wardrobe, bed, desk, bookcase, stool
        clothing: shirt, coat, sock, dress, scarf, glove, skirt, sweater
        drink: tea, coffee, milk, lemonade, juice, cocoa, wine, beer
        metal: iron, copper, gold, silver, tin, lead, zinc, aluminium
    """).items()
}
OPPOSITES: Final = _pairs("""
    hot: cold
    big: small
    day: night
    open: closed
    early: late
    full: empty
    fast: slow
    high: low
    wet: dry
    hard: soft
    loud: quiet
    rich: poor
    happy: sad
    clean: dirty
    thick: thin
    wide: narrow
    long: short
    strong: weak
    deep: shallow
    near: far
    first: last
    inside: outside
    above: below
    buy: sell
    push: pull
    win: lose
    arrive: leave
    laugh: cry
    begin: end
    remember: forget
    true: false
    sharp: blunt
    tight: loose
    rough: smooth
    cheap: expensive
    awake: asleep
    up: down
    left: right
    love: hate
    give: take
""")
USES: Final = _pairs("""
    broom: sweeping floors
    kettle: boiling water
    umbrella: staying dry in the rain
    pair of scissors: cutting paper
    pillow: resting your head
    key: opening a lock
    telescope: looking at stars
    thermometer: measuring temperature
    clock: telling the time
    camera: taking pictures
    hammer: driving nails
    needle: sewing clothes
    oven: baking bread
    fridge: keeping food cold
    ladder: climbing up to high places
    bucket: carrying water
    toothbrush: cleaning teeth
    comb: tidying hair
    towel: drying yourself
    bar of soap: washing hands
    pen: writing letters
    ruler: drawing straight lines
    lamp: lighting a room
    saw: cutting wood
    shovel: digging holes
    rake: gathering leaves
    fishing rod: catching fish
    bridge: crossing a river
    spoon: eating soup
    microscope: seeing tiny things
    map: finding the way
    pair of scales: weighing things
    tube of glue: sticking things together
    stamp: posting a letter
    heater: warming a room
    helmet: protecting your head
    seat belt: staying safe in a car
    anchor: holding a ship in place
    parachute: falling slowly from a plane
    tent: camping
    wallet: carrying money
    calendar: looking up dates
    dictionary: looking up words
    lawn mower: cutting grass
    bell: calling people by its sound
    whisk: beating eggs
    crane: lifting heavy loads
    compass: finding north
""")
JOBS: Final = _pairs("""
    teacher: teaches pupils
    dentist: repairs teeth
    pilot: flies planes
    baker: bakes bread
    hairdresser: cuts hair
    firefighter: puts out fires
    postal worker: delivers letters
    farmer: grows crops
    architect: designs houses
    journalist: writes the news
    butcher: sells meat
    vet: cures sick animals
    doctor: cures sick people
    actor: plays a part in films
    bus driver: drives a bus
    bricklayer: builds walls
    plumber: mends water pipes
    electrician: lays electric wires
    fisherman: catches fish
    police officer: catches thieves
    librarian: lends books
    painter: paints pictures
    tailor: makes suits
    chef: cooks in a restaurant
    waiter: serves guests at a table
    captain: commands a ship
    carpenter: builds things of wood
    miner: digs for coal
    astronomer: studies the stars
    conductor: leads an orchestra
    priest: leads a church service
    judge: decides in a court
    florist: sells flowers
    optician: fits glasses
    coach: trains athletes
    gardener: looks after gardens
    astronaut: flies into space
    referee: makes sure of the rules in a match
    pharmacist: sells medicine
    tour guide: shows a town to visitors
""")
PLACES: Final = _pairs("""
    stove: kitchen
    bathtub: bathroom
    bed: bedroom
    blackboard: classroom
    herd of cows: farm
    altar: church
    curtain and stage: theatre
    surgeon: hospital
    runway: airport
    swing and slide: playground
    railway platform: train station
    lion in a cage: zoo
    sandcastle: beach
    shelf of goods with prices: shop
    parcel counter: post office
    vault full of money: bank
    treadmill: gym
    gravestone: cemetery
    pile of hay: barn
    roller coaster: amusement park
    cactus: desert
    shelf of books to lend: library
    test tube: laboratory
    row of tents: campsite
    goal and scoreboard: stadium
    witness: courtroom
    printer and copier: office
    menu: restaurant
    car that is being repaired: garage
    dinosaur skeleton: museum
    big screen and popcorn: cinema
    cell with bars: prison
    fishing boat at a quay: harbour
    grape vine: vineyard
    fresh loaf: bakery
    assembly line: factory
    iceberg: polar sea
    crown and throne: palace
""")
