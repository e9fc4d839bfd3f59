"""What every report is made of: a page that fetches nothing, pictures in two widths, and the sections reports share.

The pictures are inline SVG drawn by the pure functions of this folder. Deviation from "a library first": matplotlib
fixes colours and text sizes when it draws, so one picture cannot serve light and dark pages or tell its numbers under
the pointer; measured on the learning curves, it also weighs 2.5 times as much with text as text and 3.4 as paths.
"""
