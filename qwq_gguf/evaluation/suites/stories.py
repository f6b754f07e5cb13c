"""The stories of the suite `wordproblems`, as data: a text, its numbers, and the way to the answer.

`numbers` says between which bounds each is drawn, `steps` how they are put together: one sum
each, of numbers of the story, of earlier results, or of what every child knows (12 to a dozen,
7 days to a week, 2 halves, 100 per cent). The last result is what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STORIES", "Story"]


@dataclass(frozen=True, slots=True)
class Story:
    """One structure. In `text` stand {A}, {B} for people and the names of numbers."""

    name: str
    text: str
    numbers: str
    steps: str
    unit: str | None = None


# fmt: off
STORIES = (
    Story("boxes-given",
          "{A} has {a} boxes with {b} pencils each. {A} gives {c} pencils to {B}. How many "
          "pencils does {A} have left?",
          "a 3-12 b 6-24 c 5-30", "s = a * b; t = s - c"),
    Story("two-kinds-of-tickets",
          "A cinema sells {a} tickets for adults at {b} dollars and {c} tickets for children at "
          "{d} dollars. How many dollars does it take in?",
          "a 10-60 b 8-15 c 10-60 d 3-7", "s = a * b; t = c * d; u = s + t", "dollars"),
    Story("change",
          "{A} buys {a} notebooks at {b} dollars each and a bag for {c} dollars, and pays with "
          "{d} dollars. How many dollars does {A} get back?",
          "a 2-6 b 2-6 c 8-25 d 60-100", "s = a * b; t = s + c; u = d - t", "dollars"),
    Story("eggs",
          "A farmer has {a} hens, and each lays {b} eggs a week. The family eats {c} eggs a "
          "week, and the others are sold by the dozen. How many dozens are sold in a week?",
          "a 6-30 b 4-6 c 6-40", "s = a * b; t = s - c; u = t / 12"),
    Story("train-speeds",
          "A train goes {a} km/h for {b} hours and then {c} km/h for {d} hours. How many "
          "kilometres does it go?",
          "a 60-140 b 2-5 c 40-120 d 2-5", "s = a * b; t = c * d; u = s + t", "km"),
    Story("average-speed",
          "{A} cycles {a} km in the morning and {b} km in the afternoon, {c} hours in all. What "
          "is the average speed in km/h?",
          "a 15-60 b 10-50 c 3-8", "s = a + b; t = s / c", "km/h"),
    Story("half-eaten",
          "{A} bakes {a} trays of {b} biscuits. Half of the biscuits are eaten on the first "
          "day, and {c} of the others on the second. How many are left?",
          "a 3-8 b 8-20 c 5-20", "s = a * b; t = s / 2; u = t - c"),
    Story("twice-as-many",
          "{A} has {a} marbles. {B} has twice as many, and lost {b} of them yesterday, so {c} "
          "marbles were bought for {B} today. How many marbles do the two have now?",
          "a 12-50 b 3-20 c 4-25", "s = a * 2; t = s - b; u = t + c; v = u + a"),
    Story("savings",
          "{A} earns {a} dollars a week and spends {b} of them. After how many weeks is there "
          "enough saved for a bicycle of {c} dollars?",
          "a 40-120 b 15-60 c 150-900", "s = a - b; t = c / s", "weeks"),
    Story("discount",
          "A coat costs {a} dollars. It becomes {b}% cheaper, and {A} also has a voucher for "
          "{c} dollars. How many dollars does {A} pay?",
          "a 80-300 b 10-40 c 5-20", "s = a * b; t = s / 100; u = a - t; v = u - c", "dollars"),
    Story("ages",
          "{A} is {a} years old. {B} is {b} years older than {A}. How old will {B} be in {c} "
          "years?",
          "a 5-40 b 2-20 c 3-15", "s = a + b; t = s + c"),
    Story("ages-sum",
          "{A} is {a} years old and {B} is twice as old. How old will both be together in {b} "
          "years?",
          "a 6-30 b 3-12", "s = a * 2; t = a + s; u = b * 2; v = t + u"),
    Story("tank",
          "A tank holds {a} litres, and {b} litres are in it. A pump fills in {c} litres a "
          "minute, while {d} litres a minute run out. After how many minutes is it full?",
          "a 200-900 b 20-150 c 12-40 d 2-10", "s = a - b; t = c - d; u = s / t", "minutes"),
    Story("bus",
          "A bus starts with {a} people. At the first stop {b} get off and {c} get on, at the "
          "second {d} get off. How many people are on the bus then?",
          "a 25-60 b 5-20 c 3-25 d 4-20", "s = a - b; t = s + c; u = t - d"),
    Story("pages",
          "A book has {a} pages. {A} reads {b} pages a day for a week, and then {c} pages a "
          "day. How many more days does the rest take?",
          "a 200-600 b 10-30 c 8-40", "s = b * 7; t = a - s; u = t / c", "days"),
    Story("fence",
          "A garden is {a} m long and {b} m wide. A fence round it costs {c} dollars a metre. "
          "How many dollars does the fence cost?",
          "a 10-40 b 6-30 c 4-15", "s = a + b; t = s * 2; u = t * c", "dollars"),
    Story("tiles",
          "A floor of {a} m by {b} m is laid with tiles. {c} tiles cover a square metre, and "
          "{d} more are bought in case some break. How many tiles are bought?",
          "a 4-12 b 3-10 c 4-16 d 5-25", "s = a * b; t = s * c; u = t + d"),
    Story("factory",
          "A machine makes {a} parts an hour. It runs {b} hours a day for {c} days, and {d} "
          "parts turn out to be faulty. How many parts are good?",
          "a 20-90 b 6-12 c 3-9 d 10-80", "s = a * b; t = s * c; u = t - d"),
    Story("shared-bill",
          "{a} friends eat out. The food costs {b} dollars, the drinks {c} dollars and the tip "
          "{d} dollars. They share everything equally. How many dollars does each pay?",
          "a 3-8 b 60-200 c 15-60 d 5-25", "s = b + c; t = s + d; u = t / a", "dollars"),
    Story("rope",
          "A rope is {a} metres long. {A} cuts off {b} pieces of {c} metres each, and then "
          "halves what is left. How many metres long is each half?",
          "a 40-120 b 2-8 c 2-6", "s = b * c; t = a - s; u = t / 2", "m"),
    Story("class",
          "There are {a} classes with {b} pupils each in a school. {c} pupils are ill, and a "
          "third of the others go on a trip. How many go on the trip?",
          "a 5-12 b 18-30 c 4-25", "s = a * b; t = s - c; u = t / 3"),
    Story("orchard",
          "An orchard has {a} rows of {b} trees, and each tree gives {c} kg of apples. {d} kg "
          "are spoiled. How many kilograms are left?",
          "a 4-12 b 5-15 c 20-60 d 30-200", "s = a * b; t = s * c; u = t - d", "kg"),
    Story("wages",
          "{A} works {a} hours a day on {b} days and gets {c} dollars an hour. {d} dollars are "
          "taken off for tax. How many dollars are left?",
          "a 5-9 b 4-6 c 12-30 d 40-150", "s = a * b; t = s * c; u = t - d", "dollars"),
    Story("fuel",
          "A car uses {a} litres of fuel for 100 km. A litre costs {b} dollars. How many "
          "dollars does the fuel for {c} km cost?",
          "a 5-12 b 2-3 c 150-900", "s = a * c; t = s / 100; u = t * b", "dollars"),
    Story("stairs",
          "A tower has {a} floors with {b} steps between one and the next. {A} goes from the "
          "first floor to the last, and back down {c} steps. How many steps does {A} go in all?",
          "a 5-15 b 12-24 c 20-60", "s = a - 1; t = s * b; u = t + c"),
    Story("library",
          "A library has {a} shelves with {b} books each. On Monday {c} books are lent and {d} "
          "are brought back, and on Tuesday {e} are lent. How many books are on the shelves "
          "then?",
          "a 8-20 b 20-45 c 20-70 d 5-40 e 10-50", "s = a * b; t = s - c; u = t + d; v = u - e"),
    Story("paint",
          "A litre of paint is enough for {a} square metres. {A} paints {b} walls of {c} m by "
          "{d} m each, and everything is painted twice. How many litres are needed?",
          "a 6-10 b 2-5 c 4-9 d 2-4", "s = c * d; t = s * b; u = t * 2; v = u / a", "litres"),
    Story("exam",
          "In a test there are {a} points for a right answer, and {b} are taken off for a wrong "
          "one. Of {c} questions {A} gets {d} right and all the others wrong. How many points "
          "does {A} have?",
          "a 4-8 b 1-3 c 20-40 d 14-30", "s = c - d; t = a * d; u = b * s; v = t - u"),
    Story("phone-plan",
          "A telephone plan costs {a} dollars a month with {b} free minutes. Each further "
          "minute costs {c} cents. {A} calls for {d} minutes in a month. How many dollars is "
          "the bill?",
          "a 8-25 b 60-150 c 5-20 d 160-400",
          "s = d - b; t = s * c; u = t / 100; v = a + u", "dollars"),
    Story("sheep",
          "A farmer has {a} sheep and {b} more goats than sheep. He sells {c} goats. How many "
          "animals does he have then?",
          "a 20-70 b 5-40 c 4-30", "s = a + b; t = s - c; u = a + t"),
    Story("ratio",
          "Red and blue beads are mixed in the ratio {a} to {b}. There are {c} beads in all. "
          "How many more red beads than blue ones are there?",
          "a 4-9 b 1-3 c 40-240", "s = a + b; t = c / s; u = a - b; v = t * u"),
    Story("meeting",
          "Two cyclists are {a} km apart and ride towards each other, one at {b} km/h and the "
          "other at {c} km/h. How many kilometres has the first one ridden when they meet?",
          "a 30-180 b 12-25 c 10-24", "s = b + c; t = a / s; u = b * t", "km"),
    Story("overtake",
          "{A} walks at {a} km/h. {B} starts {b} hours later from the same place and follows on "
          "a bicycle at {c} km/h. After how many hours of riding does {B} reach {A}?",
          "a 4-6 b 2-4 c 8-24", "s = a * b; t = c - a; u = s / t", "hours"),
    Story("work-together",
          "{A} folds {a} letters in an hour and {B} folds {b}. Together they have {c} letters "
          "to fold, of which {d} are done already. How many hours do they need for the rest?",
          "a 20-60 b 15-50 c 200-700 d 20-100", "s = a + b; t = c - d; u = t / s", "hours"),
    Story("recipe",
          "A recipe for {a} people needs {b} grams of flour. {A} cooks for {c} people and has "
          "{d} grams of flour at home. How many grams have to be bought?",
          "a 2-6 b 120-600 c 6-15 d 50-300", "s = b / a; t = s * c; u = t - d", "g"),
    Story("parking",
          "A car park costs {a} dollars for the first hour and {b} dollars for each further "
          "hour. {A} parks {c} hours on each of {d} days. How many dollars is that?",
          "a 3-8 b 1-3 c 3-9 d 2-6", "s = c - 1; t = s * b; u = a + t; v = u * d", "dollars"),
    Story("aquarium",
          "An aquarium is {a} cm long, {b} cm wide and {c} cm high. {d} litres of water are "
          "poured in. How many more litres does it hold? A litre is 1000 cubic centimetres.",
          "a 40-100 b 20-50 c 30-60 d 5-30",
          "s = a * b; t = s * c; u = t / 1000; v = u - d", "l"),
    Story("theatre",
          "A theatre has {a} rows of {b} seats. {c}% of the seats are sold at {d} dollars each. "
          "How many dollars is that?",
          "a 10-25 b 12-30 c 20-90 d 8-25",
          "s = a * b; t = s * c; u = t / 100; v = u * d", "dollars"),
    Story("coins",
          "{A} has {a} coins of 50 cents and {b} coins of 20 cents. {B} has {c} dollars. How "
          "many dollars do they have together?",
          "a 4-30 b 5-40 c 3-25",
          "s = a * 50; t = b * 20; u = s + t; v = u / 100; w = v + c", "dollars"),
    Story("steps-a-day",
          "{A} walks {a} steps on each day from Monday to Friday and {b} steps on Saturday and "
          "on Sunday. How many steps is that a day on average?",
          "a 4000-9000 b 5000-15000", "s = a * 5; t = b * 2; u = s + t; v = u / 7"),
    Story("candles",
          "A candle is {a} cm long and becomes {b} mm shorter every minute. How many "
          "centimetres are left after {c} minutes?",
          "a 15-35 b 2-5 c 10-50", "s = b * c; t = s / 10; u = a - t", "cm"),
    Story("coach-trip",
          "{a} pupils and {b} teachers go on a trip by coaches of {c} seats, all of them full. "
          "A coach costs {d} dollars, which is shared by the pupils alone. How many dollars "
          "does each pupil pay?",
          "a 40-200 b 4-16 c 24-54 d 200-900",
          "s = a + b; t = s / c; u = t * d; v = u / a", "dollars"),
    Story("rabbits",
          "{A} has {a} rabbits. Each eats {b} carrots a day. A bag has {c} carrots and costs "
          "{d} dollars. How many dollars do the carrots for {e} days cost?",
          "a 3-9 b 2-5 c 10-40 d 2-6 e 5-20",
          "s = a * b; t = s * e; u = t / c; v = u * d", "dollars"),
    Story("three-shops",
          "A pen costs {a} cents at the first shop, {b} cents more at the second, and at the "
          "third twice as much as at the second. {A} buys {c} pens at the third shop and {d} at "
          "the first. How many cents is that?",
          "a 20-90 b 5-40 c 2-9 d 2-9",
          "s = a + b; t = s * 2; u = t * c; v = a * d; w = u + v", "cents"),
)
# fmt: on
