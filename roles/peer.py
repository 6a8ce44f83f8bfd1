"""Peer: answers; where it hears the others it answers again and rates each of them from 1 to 5 (DyLAN, 2310.02170).

It has no memory: what it said before is among what it hears. A reply without ratings is an answer all the same.
"""

from orchestra.team import Role
from orchestra.team.ranking import rated, rated_answer

peer = Role(
    "peer",
    "{{ persona }}\n{{ prompt }}\n"
    "{% for message in inbox %}{{ loop.index }}. {{ message.content }}\n{% endfor %}"
    "{% if inbox %}Give your answer. Then rate these {{ inbox | length }} from 1 to 5, in order, such as "
    '"Ratings: 3{% for message in inbox[1:] %} 3{% endfor %}".{% endif %}',
    output=rated,
    answer=rated_answer,
)
