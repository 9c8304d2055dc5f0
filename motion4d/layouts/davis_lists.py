"""The published sequence lists of DAVIS, and what is known of the validation sequences. Data only.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016; Pont-Tuset et
al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017. MOVING_2017 is the list of SegAnyMo (Huang et al.,
"Segment Any Motion in Videos", CVPR 2025).
"""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VAL_2016 = _names(
    "blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog drift-chicane drift-straight "
    "goat horsejump-high kite-surf libby motocross-jump paragliding-launch parkour scooter-black soapbox"
)
TRAIN_2016 = _names(
    "bear bmx-bumps boat breakdance-flare bus car-turn dance-jump dog-agility drift-turn elephant flamingo hike hockey "
    "horsejump-low kite-walk lucia mallard-fly mallard-water motocross-bumps motorbike paragliding rhino rollerblade "
    "scooter-gray soccerball stroller surf swing tennis train"
)
TRAIN_2017 = _names(
    "bear bmx-bumps boat boxing-fisheye breakdance-flare bus car-turn cat-girl classic-car color-run crossing "
    "dance-jump dancing disc-jockey dog-agility dog-gooses dogs-scale drift-turn drone elephant flamingo hike hockey "
    "horsejump-low kid-football kite-walk koala lady-running lindy-hop longboard lucia mallard-fly mallard-water "
    "miami-surf motocross-bumps motorbike night-race paragliding planes-water rallye rhino rollerblade schoolgirls "
    "scooter-board scooter-gray sheep skate-park snowboard soccerball stroller stunt surf swing tennis tractor-sand "
    "train tuk-tuk upside-down varanus-cage walking"
)

# frames and objects of the 2017 validation sequences
VAL_2017_FRAMES_AND_OBJECTS = {
    "bike-packing": (69, 2),
    "blackswan": (50, 1),
    "bmx-trees": (80, 2),
    "breakdance": (84, 1),
    "camel": (90, 1),
    "car-roundabout": (75, 1),
    "car-shadow": (40, 1),
    "cows": (104, 1),
    "dance-twirl": (90, 1),
    "dog": (60, 1),
    "dogs-jump": (66, 3),
    "drift-chicane": (52, 1),
    "drift-straight": (50, 1),
    "goat": (90, 1),
    "gold-fish": (78, 5),
    "horsejump-high": (50, 2),
    "india": (81, 3),
    "judo": (34, 2),
    "kite-surf": (50, 3),
    "lab-coat": (47, 5),
    "libby": (49, 1),
    "loading": (50, 3),
    "mbike-trick": (79, 2),
    "motocross-jump": (40, 2),
    "paragliding-launch": (80, 3),
    "parkour": (100, 1),
    "pigs": (79, 3),
    "scooter-black": (43, 2),
    "shooting": (40, 3),
    "soapbox": (99, 3),
}
VAL_2017 = tuple(VAL_2017_FRAMES_AND_OBJECTS)
ALL_2017 = tuple(sorted(VAL_2017 + TRAIN_2017))

_STILL_FOR_SEGANYMO = _names("breakdance camel car-roundabout gold-fish india lab-coat loading scooter-black")
MOVING_2017 = tuple(name for name in VAL_2017 if name not in _STILL_FOR_SEGANYMO)
MOVING_2016 = tuple(name for name in VAL_2016 if name not in _STILL_FOR_SEGANYMO)
